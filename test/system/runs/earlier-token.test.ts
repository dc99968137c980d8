import { randomUUID } from 'node:crypto';
import type { Client } from '@temporalio/client';
import type { PrepareRequest } from '../../../src/contract/schemas';
import { workflowIdFor } from '../../../src/contract/workflow-id';
import { WORKFLOW_TYPES } from '../../../src/contract/workflows';
import type { TestAtlas } from '../../support/atlas';
import { eventually } from '../../support/eventually';
import { startForgedRun } from '../../support/forged-run';
import { install, type Installation, type Handle } from '../../support/installation';
import { end, endingOf, untilStep } from '../../support/runs';
import { serveRejectingGrpcProxy } from '../../support/servers';
import { sharedTemporal, untilClosedAreListed } from '../../support/temporal';
import { system } from './shared-system';

/** Status code of gRPC. */
const RESOURCE_EXHAUSTED = 8;

let atlas: TestAtlas;
let installation: Installation;
let client: Client;
beforeAll(async () => {
  ({ atlas, installation } = system());
  ({ client } = await sharedTemporal());
});

/** Starts a run with the policies that a client has by default. */
async function start(
  request: PrepareRequest,
  { taskQueue }: Pick<Installation, 'taskQueue'> = installation,
) {
  const options = { workflowId: workflowIdFor(request), taskQueue, args: [request] };
  return (await client.workflow.start(WORKFLOW_TYPES.prepare, options)) as Handle;
}

/** Runs a request once the list has as many closed runs of its id. */
async function run(request: PrepareRequest, closedRuns = 0) {
  await untilClosedAreListed(workflowIdFor(request), closedRuns);
  const handle = await start(request);
  return { runId: (await handle.describe()).runId, ...(await endingOf(handle)) };
}

describe('a start with the default policies of a client', () => {
  it.concurrent(
    'ends as TokenExists after a delivery, with the receipt and where requests differ',
    async () => {
      const request = installation.newRequest();
      const { runId, receipt } = await run(request);
      const { type, details, message } = await run(
        { ...request, sink: 'rejects', requestedBy: 'x' },
        1,
      );
      expect(type).toBe('TokenExists');
      const { deliveryId, publicApiKey } = receipt ?? {};
      expect(details).toEqual({
        runId,
        receipt,
        deliveryId,
        publicApiKey,
        unconfirmedTokens: 0,
      });
      expect(message).toContain("That run's request differs in sink. ");
      // Neither the refused run nor the next, which `again` permits and which fails, has a token.
      await run({ ...request, sink: 'nowhere', again: true }, 2);
      expect(await run(request, 3)).toMatchObject({ type: 'TokenExists', details: { runId } });
      expect(atlas.created(request)).toBe(1);
    },
  );

  it.concurrent('creates another token beside one that a terminated run left', async () => {
    const request = installation.newRequest({ sink: 'rejects' });
    const handle = await start(request);
    await untilStep(handle, 'undelivered');
    await end(handle, 'terminate');
    expect(await run({ ...request, sink: 'files' }, 1)).toMatchObject({ type: 'delivered' });
    expect(atlas.created(request)).toBe(2);
  });

  it.concurrent('ends as TokenExists without a forged receipt of 2 MB', async () => {
    const { receipt } = await run(installation.newRequest());
    const request = installation.newRequest();
    const forged = await startForgedRun(client, workflowIdFor(request), WORKFLOW_TYPES.prepare);
    await forged.complete({ ...receipt, location: 'x'.repeat(1_900_000) });
    const details = { runId: forged.runId, receipt: null };
    expect(await run(request, 1)).toMatchObject({ type: 'TokenExists', details });
  });

  it.concurrent(
    'with `again: <run id>` creates another token after that run, not after a newer one',
    async () => {
      const request = installation.newRequest();
      const first = await run(request);
      const second = await run({ ...request, again: first.runId }, 1);
      expect(second.type).toBe('delivered');
      const refusal = { type: 'TokenExists', details: { runId: second.runId } };
      expect(await run({ ...request, again: first.runId }, 2)).toMatchObject(refusal);
      // A run that Temporal does not know any more is older than every run that it knows.
      const unknown = await run({ ...request, again: randomUUID() }, 3);
      expect(unknown).toMatchObject(refusal);
      // A run without a token permits those of older runs.
      expect((await run({ ...request, again: unknown.runId }, 4)).type).toBe('delivered');
      expect(atlas.created(request)).toBe(3);
    },
  );
});

it.concurrent(
  'a run waits, with the reason, while Temporal throttles its list, and is delivered after it',
  async () => {
    const lists = {
      isRejected: false,
      test: (path: string) => lists.isRejected && /ListWorkflow/.test(path),
    };
    const { address } = await sharedTemporal();
    const proxy = await serveRejectingGrpcProxy(address, lists, RESOURCE_EXHAUSTED);
    const throttled = await install({ atlas });
    await throttled.startWorker({ TEMPORAL_ADDRESS: proxy.address });
    lists.isRejected = true;
    const handle = await start(installation.newRequest(), throttled);
    await eventually('the reason', async () => {
      const { raw } = await handle.describe();
      const [validation] = raw.pendingActivities ?? [];
      const message = validation?.lastFailure?.message ?? '';
      return message.includes('limit frontend.namespaceRPS.visibility');
    });
    lists.isRejected = false;
    expect((await endingOf(handle)).type).toBe('delivered');
  },
);
