import { randomUUID } from 'node:crypto';
import type { Client } from '@temporalio/client';
import { WORKFLOW_TYPES, workflowIdFor } from '../../../src/contract/names';
import type { PrepareRequest } from '../../../src/contract/schemas';
import { startForeignRun } from '../../support/foreign-run';
import { newAddress } from '../../support/ids';
import {
  FILE_SINKS,
  deploy,
  startInstallation,
  type Config,
  type Handle,
  type Installation,
} from '../../support/installation';
import { end, endingOf, redeliver, startAndAwait, untilStep } from '../../support/runs';
import { serveRejectingGrpcProxy } from '../../support/servers';
import { sharedTemporal, untilClosedAreListed } from '../../support/temporal';

/** Status codes of gRPC. */
const PERMISSION_DENIED = 7;
const RESOURCE_EXHAUSTED = 8;

let installation: Installation;
let client: Client;
beforeAll(async () => {
  const sinks = { ...FILE_SINKS, away: { type: 'file', directory: 'not-there' } };
  // No test sees the end of a first round at sink `away`.
  installation = await startInstallation({ config: { sinks, retries: { deliver: { roundMs: 600_000 } } } });
  ({ client } = await sharedTemporal());
});

/** A request that no other run has, whose tokens can be told from those of others. */
const newRequest = (more?: Partial<PrepareRequest>) =>
  installation.deployment.newRequest({ accessListIps: [newAddress()], ...more });

const idOf = ({ orgId, sourceOrgId }: PrepareRequest) => workflowIdFor(orgId, sourceOrgId);

/** Starts a run with the policies that a client has by default. */
async function start(
  request: PrepareRequest,
  taskQueue = installation.deployment.taskQueue,
): Promise<Handle> {
  const options = { workflowId: idOf(request), taskQueue, args: [request] };
  return await client.workflow.start(WORKFLOW_TYPES.prepare, options);
}

async function run(request: PrepareRequest) {
  const handle = await start(request);
  return { runId: (await handle.describe()).runId, ...(await endingOf(handle)) };
}

describe('a start with the default policies of a client', () => {
  it.concurrent('ends TokenExists after a delivery, with the receipt and where requests differ', async () => {
    const request = newRequest();
    const { runId, receipt } = await run(request);
    await untilClosedAreListed(idOf(request), 1);
    const { type, details, message } = await run({ ...request, sink: 'rejects', requestedBy: 'x' });
    expect(type).toBe('TokenExists');
    const { deliveryId } = receipt ?? {};
    expect(details).toEqual({ state: 'delivered', runId, receipt, deliveryId, unconfirmedTokens: 0 });
    expect(message).toMatch(/The earlier request differs in sink\. .*start --org .* --again/);
    // Neither the refused run nor one that `again` permitted and that failed has a token of its own.
    await run({ ...request, sink: 'nowhere', again: true });
    await untilClosedAreListed(idOf(request), 3);
    expect(await run(request)).toMatchObject({ type: 'TokenExists', details: { runId } });
    expect(installation.atlas.created(request)).toBe(1);
  });

  it.concurrent('ends TokenExists after the cancel of an undelivered run, and fails an Update', async () => {
    const request = newRequest({ sink: 'rejects' });
    const handle = await start(request);
    const { deliveryId } = await untilStep(handle, 'undelivered');
    const { runId } = await handle.describe();
    await end(handle, 'cancel');
    await untilClosedAreListed(idOf(request), 1);
    const refused = await run(request);
    const details = { state: 'recoverable', runId, receipt: null, deliveryId };
    expect(refused).toMatchObject({ type: 'TokenExists', details });
    expect(refused.message).toContain(`recover --org ${request.orgId} --source-org`);
    expect(refused.message).toContain(`--run-id ${runId}`);
    const { type } = await startAndAwait(installation.deployment, request);
    expect(type).toBe('TokenExists');
    expect(installation.atlas.created(request)).toBe(1);
  });

  it.concurrent('ends TokenExists after a termination in the first round, by the history alone', async () => {
    const request = newRequest({ sink: 'away' });
    const handle = await start(request);
    const { deliveryId } = await untilStep(handle, 'delivering');
    await end(handle, 'terminate');
    expect((await handle.describe()).memo).toEqual({});
    await untilClosedAreListed(idOf(request), 1);
    const details = { state: 'recoverable', receipt: null, deliveryId };
    expect(await run(request)).toMatchObject({ type: 'TokenExists', details });
  });

  it.concurrent('creates a token after a run that was terminated without one', async () => {
    const request = newRequest();
    await end(await start(request, 'a queue without workers'), 'terminate');
    await untilClosedAreListed(idOf(request), 1);
    expect((await run(request)).type).toBe('delivered');
  });

  it.concurrent('ends TokenExists without the receipt of 2 MB of a foreign run', async () => {
    const { receipt } = await run(newRequest());
    const request = newRequest();
    const foreign = await startForeignRun(client, idOf(request), WORKFLOW_TYPES.prepare);
    await foreign.complete({ ...receipt, location: 'x'.repeat(1_900_000) });
    await untilClosedAreListed(idOf(request), 1);
    const details = { state: 'delivered', runId: foreign.runId, receipt: null };
    expect(await run(request)).toMatchObject({ type: 'TokenExists', details });
  });

  it.concurrent('with again permits the token of the run that it names, and no newer one', async () => {
    const request = newRequest();
    const first = await run(request);
    await untilClosedAreListed(idOf(request), 1);
    const second = await run({ ...request, again: first.runId });
    expect(second.type).toBe('delivered');
    await untilClosedAreListed(idOf(request), 2);
    const refused = { type: 'TokenExists', details: { runId: second.runId } };
    expect(await run({ ...request, again: first.runId })).toMatchObject(refused);
    // A run that Temporal does not know any more is older than every run that it knows.
    expect(await run({ ...request, again: randomUUID() })).toMatchObject(refused);
    expect((await run({ ...request, again: second.runId })).type).toBe('delivered');
    expect(installation.atlas.created(request)).toBe(3);
  });
});

describe('when Temporal', () => {
  /** Starts a worker whose lists are answered with a status from then on, unless `isRejected` is false. */
  async function startBehindProxy(status: number, retries = {}) {
    const { address } = await sharedTemporal();
    const lists = {
      isRejected: false,
      test: (path: string) => lists.isRejected && /ListWorkflow/.test(path),
    };
    const proxy = await serveRejectingGrpcProxy(address, lists, status);
    const { atlas } = installation;
    const config: Config = { sinks: FILE_SINKS, ...retries };
    const deployment = await deploy({ atlas, config });
    await deployment.startWorker({ TEMPORAL_ADDRESS: new URL(proxy.url).host });
    lists.isRejected = true;
    return { lists, start: (request: PrepareRequest) => start(request, deployment.taskQueue) };
  }

  it.concurrent.each([
    ['denies the list', PERMISSION_DENIED, {}, 'permission to list and read workflow runs'],
    [
      'throttles the list for as long as creation is tried',
      RESOURCE_EXHAUSTED,
      { retries: { create: { giveUpAfterMs: 3000 } } },
      'limit of lists',
    ],
  ])('%s, a run fails with TemporalUnavailable', async (_what, status, retries, remedy) => {
    const worker = await startBehindProxy(status, retries);
    const { type, message } = await endingOf(await worker.start(newRequest()));
    expect(type).toBe('TemporalUnavailable');
    expect(message).toContain(remedy);
  });

  it.concurrent('throttles the list, new runs wait, others respond, and all deliver later', async () => {
    const worker = await startBehindProxy(RESOURCE_EXHAUSTED);
    worker.lists.isRejected = false;
    const undelivered = await worker.start(newRequest({ sink: 'rejects' }));
    await untilStep(undelivered, 'undelivered');
    worker.lists.isRejected = true;
    const waiting = await Promise.all(Array.from({ length: 20 }, () => worker.start(newRequest())));
    expect(await redeliver(undelivered, { sink: 'files' })).toMatchObject({ type: 'delivered' });
    for (const handle of waiting) expect((await handle.describe()).status.name).toBe('RUNNING');
    worker.lists.isRejected = false;
    for (const handle of waiting) expect((await endingOf(handle)).type).toBe('delivered');
  });
});
