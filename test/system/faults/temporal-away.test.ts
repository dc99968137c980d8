import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { startDevServer } from '../../../dev/temporal/dev-server';
import { freePort } from '../../../dev/temporal/free-port';
import type { PrepareRequest } from '../../../src/contract/schemas';
import { cleanUpLater, newFolder } from '../../support/clean-up';
import { eventually } from '../../support/eventually';
import { startSystem, type Handle, type System } from '../../support/installation';
import { endingOf, operate, redeliver, startPost, untilStep } from '../../support/runs';
import { serveRejectingGrpcProxy } from '../../support/servers';
import { sharedTemporal } from '../../support/temporal';
import type { WorkerProcess } from '../../support/worker-process';

/** Exceeds the time for which Temporal's Core tries to report a result. */
const OUTAGE_MS = 15_000;
const NEVER_MS = 300_000;
const UNAVAILABLE = 14;

/** Starts runs whose token Atlas creates, and whose response comes once the faults are cleared. */
async function startPosts({ atlas, installation }: System, count: number) {
  atlas.faults(Array(count).fill({ on: 'linkTokens', delayMs: NEVER_MS, afterCreating: true }));
  const requests = Array.from({ length: count }, () => installation.newRequest());
  const handles = await Promise.all(requests.map((request) => installation.start(request)));
  await eventually('the tokens', () => requests.every((request) => atlas.created(request) === 1));
  return { requests, handles };
}

/**
 * Lets Atlas respond, waits until the workers hold all tokens, and for longer than Core would
 * report them.
 */
async function receiveTokens(
  { atlas }: System,
  workers: WorkerProcess[],
  count: number,
): Promise<void> {
  atlas.clearFaults();
  const countReceived = () =>
    workers.flatMap((worker) => worker.logged('link-token received')).length;
  await eventually('the responses', () => countReceived() === count);
  await sleep(OUTAGE_MS);
}

it('tokens that arrive while Temporal is away are delivered, and that of a cancelled run is revoked', async () => {
  const folder = newFolder();
  const server = {
    port: await freePort(),
    logFile: path.join(folder, 'temporal.log'),
    databaseFile: path.join(folder, 'temporal.db'),
  };
  const before = await startDevServer(server);
  const system = await startSystem({
    temporal: before,
    config: { atlas: { requestTimeoutMs: NEVER_MS }, worker: { heartbeatTimeoutMs: NEVER_MS } },
  });
  const { atlas, installation, worker } = system;
  const workers = [worker, await installation.startWorker()];
  const rejected = installation.newRequest({ sink: 'rejects' });
  await untilStep(await installation.start(rejected), 'undelivered');

  const { requests, handles } = await startPosts(system, 6);
  const [cancelledRun, resetRun] = handles as [Handle, Handle];
  await cancelledRun.cancel();
  await operate(resetRun, 'reset', before.client);
  await before.stop();
  const drained = worker.stop();
  await receiveTokens(system, workers, 1 + requests.length);
  const after = await startDevServer(server);
  cleanUpLater(() => after.stop());
  const handleOf = (request: PrepareRequest): Handle =>
    after.client.workflow.getHandle(installation.handleOf(request).workflowId);

  const endings = requests.map((request) => endingOf(handleOf(request)));
  const [cancelled, ...others] = await Promise.all(endings);
  expect(cancelled).toMatchObject({ type: 'CANCELLED' });
  for (const ending of others) {
    expect(ending).toMatchObject({ type: 'delivered', unconfirmedTokens: 0 });
  }
  expect(requests.map((request) => atlas.created(request))).toEqual([1, 1, 1, 1, 1, 1]);
  expect(atlas.requestsOn('deleteApiKey')).toHaveLength(1);
  expect(await drained).toEqual({ code: 0, signal: null });
  const { receipt } = await redeliver(handleOf(rejected), { sink: 'files' });
  expect(await endingOf(handleOf(rejected))).toMatchObject({ receipt, unconfirmedTokens: 0 });
});

it('tokens and failures that arrive while Temporal cannot write are not lost', async () => {
  const { address, client } = await sharedTemporal();
  let isLocked = false;
  const writes = {
    test: (call: string) => isLocked && /\/(RecordActivityTask|RespondActivityTask)/.test(call),
  };
  const proxy = await serveRejectingGrpcProxy(address, writes, UNAVAILABLE);
  const system = await startSystem({
    temporal: { address: proxy.address, client },
    config: { atlas: { requestTimeoutMs: NEVER_MS }, worker: { heartbeatTimeoutMs: NEVER_MS } },
  });
  const { requests, handles } = await startPosts(system, 3);
  system.atlas.faults({ on: 'linkTokens', delayMs: NEVER_MS, status: 429 });
  handles.push(await startPost(system));
  isLocked = true;
  await receiveTokens(system, [system.worker], requests.length);
  isLocked = false;
  for (const handle of handles) {
    expect(await endingOf(handle)).toMatchObject({ type: 'delivered', unconfirmedTokens: 0 });
  }
  expect(requests.map((request) => system.atlas.created(request))).toEqual([1, 1, 1]);
});
