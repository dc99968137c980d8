import { randomUUID } from 'node:crypto';
import type { Client } from '@temporalio/client';
import { WORKFLOW_TYPES, workflowIdFor } from '../../../src/contract/names';
import type { PrepareRequest } from '../../../src/contract/schemas';
import { WITH_BLOCKED_SINK, blockSink } from '../../support/blocked-sink';
import { startForeignRun } from '../../support/foreign-run';
import { newAddress } from '../../support/ids';
import {
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
let taskQueue: string;

beforeAll(async () => {
  installation = await startInstallation({ config: WITH_BLOCKED_SINK });
  ({ taskQueue } = installation.deployment);
  blockSink(installation.deployment);
  ({ client } = await sharedTemporal());
});

/** A request that no other run has, whose tokens can be told from those of others. */
const newRequest = (more?: Partial<PrepareRequest>) =>
  installation.deployment.newRequest({ accessListIps: [newAddress()], ...more });

const idOf = ({ orgId, sourceOrgId }: PrepareRequest) => workflowIdFor(orgId, sourceOrgId);

/** Starts a run with the policies that a client has by default. */
async function start(request: PrepareRequest, queue = taskQueue): Promise<Handle> {
  const options = { workflowId: idOf(request), taskQueue: queue, args: [request] };
  return await client.workflow.start(WORKFLOW_TYPES.prepare, options);
}

async function run(request: PrepareRequest) {
  const handle = await start(request);
  return { runId: (await handle.describe()).runId, ...(await endingOf(handle)) };
}

/** Ends a run whose token is undelivered. */
async function endUndelivered(how: 'cancel' | 'terminate') {
  const request = newRequest({ sink: 'blocked' });
  const handle = await start(request);
  const { deliveryId } = await untilStep(handle, 'undelivered');
  const { runId } = await handle.describe();
  await end(handle, how);
  await untilClosedAreListed(idOf(request), 1);
  return { request, runId, deliveryId };
}

describe('a start with the default policies of a client', () => {
  it.concurrent(
    'ends TokenExists after a delivery, with the receipt and where the requests differ',
    async () => {
      const request = newRequest();
      const { runId, receipt } = await run(request);
      await untilClosedAreListed(idOf(request), 1);

      const refused = await run({ ...request, sink: 'blocked', requestedBy: 'somebody else' });
      const { deliveryId } = receipt ?? {};
      expect(refused).toMatchObject({
        type: 'TokenExists',
        details: { state: 'delivered', runId, receipt, deliveryId, unconfirmedTokens: 0 },
      });
      expect(refused.message).toMatch(/The earlier request differs in sink\. .*start --org .* --again/);
      // Neither the refused run nor one that `again` permitted and that failed has a token of its own.
      expect(await run({ ...request, sink: 'nowhere', again: true })).toMatchObject({
        type: 'InvalidRequest',
      });
      await untilClosedAreListed(idOf(request), 3);
      expect(await run(request)).toMatchObject({ type: 'TokenExists', details: { runId } });
      expect(installation.atlas.created(request)).toBe(1);
    },
  );

  it.concurrent.each(['cancel', 'terminate'] as const)(
    'ends TokenExists after the %s of an undelivered run, with the command that recovers its token',
    async (how) => {
      const { request, runId, deliveryId } = await endUndelivered(how);
      const refused = await run({ ...request, sink: 'files' });
      expect(refused).toMatchObject({
        type: 'TokenExists',
        details: { state: 'recoverable', runId, receipt: null, deliveryId },
      });
      expect(refused.message).toContain(`recover --org ${request.orgId} --source-org`);
      expect(refused.message).toContain(`--run-id ${runId}`);
      expect(installation.atlas.created(request)).toBe(1);
    },
  );

  it.concurrent('creates a token after a run that was terminated without one', async () => {
    const request = newRequest();
    await end(await start(request, 'a queue without workers'), 'terminate');
    await untilClosedAreListed(idOf(request), 1);
    expect((await run(request)).type).toBe('delivered');
  });

  it.concurrent('creates a token although a foreign run of the id completed', async () => {
    const request = newRequest();
    await (await startForeignRun(client, idOf(request))).complete({ sink: 'files' });
    await untilClosedAreListed(idOf(request), 1);
    expect((await run(request)).type).toBe('delivered');
  });

  it.concurrent('fails an Update-with-Start with TokenExists', async () => {
    const { request } = await endUndelivered('cancel');
    expect(await startAndAwait(installation.deployment, request)).toMatchObject({ type: 'TokenExists' });
  });
});

describe('again in a request', () => {
  it.concurrent(
    'permits the token of the run that it names and of older ones, and not that of a newer run',
    async () => {
      const request = newRequest();
      const first = await run(request);
      await untilClosedAreListed(idOf(request), 1);
      const second = await run({ ...request, again: first.runId });
      expect(second.type).toBe('delivered');
      await untilClosedAreListed(idOf(request), 2);
      expect(await run({ ...request, again: first.runId })).toMatchObject({
        type: 'TokenExists',
        details: { runId: second.runId },
      });
      // A run that Temporal does not know any more is older than every run that it knows.
      expect(await run({ ...request, again: randomUUID() })).toMatchObject({ type: 'TokenExists' });
      expect((await run({ ...request, again: second.runId })).type).toBe('delivered');
      expect(installation.atlas.created(request)).toBe(3);
    },
  );
});

describe('when Temporal', () => {
  /** Starts a worker whose lists are answered with a status while `isRejected` is true. */
  async function startBehindProxy(status: number, config: Config = {}) {
    const { address } = await sharedTemporal();
    const lists = {
      isRejected: false,
      test: (path: string) => lists.isRejected && /ListWorkflow/.test(path),
    };
    const proxy = await serveRejectingGrpcProxy(address, lists, status);
    const deployment = await deploy({
      atlas: installation.atlas,
      config: { ...WITH_BLOCKED_SINK, ...config },
    });
    blockSink(deployment);
    await deployment.startWorker({ TEMPORAL_ADDRESS: new URL(proxy.url).host });
    return { lists, deployment, start: (request: PrepareRequest) => start(request, deployment.taskQueue) };
  }

  it.concurrent(
    'denies the list, a run fails at once with TemporalUnavailable and names the permission',
    async () => {
      const worker = await startBehindProxy(PERMISSION_DENIED);
      worker.lists.isRejected = true;
      const { type, message } = await endingOf(await worker.start(newRequest()));
      expect(type).toBe('TemporalUnavailable');
      expect(message).toMatch(/permission to list and read workflow runs/);
    },
  );

  it.concurrent(
    'throttles the list for as long as creation is tried, a run fails with TemporalUnavailable',
    async () => {
      const worker = await startBehindProxy(RESOURCE_EXHAUSTED, {
        retries: { create: { giveUpAfterMs: 3000 } },
      });
      worker.lists.isRejected = true;
      const { type, message } = await endingOf(await worker.start(newRequest()));
      expect(type).toBe('TemporalUnavailable');
      expect(message).toMatch(/limit of lists/);
    },
  );

  it.concurrent(
    'throttles the list, new runs wait, others respond, and all deliver when it lists again',
    async () => {
      const worker = await startBehindProxy(RESOURCE_EXHAUSTED);
      const undelivered = await worker.start(newRequest({ sink: 'blocked' }));
      await untilStep(undelivered, 'undelivered');

      worker.lists.isRejected = true;
      const waiting = await Promise.all(Array.from({ length: 20 }, () => worker.start(newRequest())));
      expect(await redeliver(undelivered, { sink: 'files' })).toMatchObject({ type: 'delivered' });
      for (const handle of waiting) expect((await handle.describe()).status.name).toBe('RUNNING');

      worker.lists.isRejected = false;
      for (const handle of waiting) expect((await endingOf(handle)).type).toBe('delivered');
    },
  );
});
