import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { startAtlas } from '../../support/atlas';
import { eventually } from '../../support/eventually';
import { fetchOnce } from '../../support/fetch-once';
import { install, startSystem } from '../../support/installation';
import { endingOf, startPost } from '../../support/runs';
import { serveRejectingGrpcProxy, serveSocket } from '../../support/servers';
import { startTcpProxy } from '../../support/tcp-proxy';
import { sharedTemporal } from '../../support/temporal';
import { linesOf, type WorkerProcess } from '../../support/worker-process';

/** Exceeds every test: the response never comes. */
const NEVER_MS = 3_600_000;

/** Draining an idle worker for this time would take longer than a test may. */
const PATIENT = { config: { atlas: { requestTimeoutMs: 300_000 } } };

async function get(worker: WorkerProcess, path: '/livez' | '/readyz'): Promise<[number, string]> {
  const response = await fetchOnce(worker.healthUrl() + path);
  return [response.status, await response.text()];
}

const untilStatus = (worker: WorkerProcess, status: number) =>
  eventually(`${status} at /readyz`, async () => (await get(worker, '/readyz'))[0] === status);

async function probesOnceUnready(worker: WorkerProcess) {
  await untilStatus(worker, 503);
  return { readyz: await get(worker, '/readyz'), livez: await get(worker, '/livez') };
}

/** Takes Temporal away from a worker twice, and then ends it. */
async function loseTemporal() {
  const { address } = await sharedTemporal();
  const proxy = await startTcpProxy(address);
  const atlas = await startAtlas();
  const installation = await install({ atlas, ...PATIENT });
  const preload = path.join(installation.folder, 'warn.cjs');
  writeFileSync(
    preload,
    "process.on('SIGUSR2', () => process.emitWarning('a warning of Node'));\n",
  );
  const worker = await installation.startWorker({
    TEMPORAL_ADDRESS: proxy.address,
    NODE_OPTIONS: `--require ${preload}`,
  });
  await untilStatus(worker, 200);
  process.kill(worker.pid, 'SIGUSR2');
  proxy.silence();
  const silenced = await probesOnceUnready(worker);
  proxy.restore();
  await untilStatus(worker, 200);
  await endingOf(await installation.start());

  await proxy.close();
  const disconnected = await probesOnceUnready(worker);
  await eventually('a warning of Core', () =>
    linesOf(worker).some(({ sdkComponent, level }) => sdkComponent === 'core' && level === 'warn'),
  );
  process.kill(worker.pid, 'SIGINT');
  return { worker, silenced, disconnected, exit: await worker.exited };
}

let losing: ReturnType<typeof loseTemporal> | undefined;
/** Starts this once for the tests that share it, which run at the same time as all others. */
const lostTemporal = () => (losing ??= loseTemporal());

describe('a worker', () => {
  it.concurrent('ends at SIGTERM while Atlas hangs', async () => {
    const requestTimeoutMs = 2000;
    const atlas = await startAtlas();
    const installation = await install({ atlas, config: { atlas: { requestTimeoutMs } } });
    const worker = await installation.startWorker();
    atlas.faults({ on: 'linkTokens', delayMs: NEVER_MS, times: 100 });
    await startPost({ atlas, installation });
    const signalledMs = Date.now();
    expect(await worker.stop()).toEqual({ code: 0, signal: null });
    // The documented time, for a machine that is ten times slower.
    expect(Date.now() - signalledMs).toBeLessThan(10 * (4 * requestTimeoutMs + 15_000));
  });

  it.concurrent('ends at SIGTERM although a program that it has started does not', async () => {
    const installation = await install({ atlas: await startAtlas() });
    const program = require.resolve('../../support/endless-child.cjs');
    const worker = await installation.startWorker({ NODE_OPTIONS: `--require ${program}` });
    expect(await worker.stop()).toEqual({ code: 0, signal: null });
    expect(worker.logged('worker stopped')).toHaveLength(1);
  });

  it.concurrent('whose polls are refused for good logs why and ends with 1', async () => {
    const { address } = await sharedTemporal();
    const polls = /\/Poll(Workflow|Activity)TaskQueue$/;
    const proxy = await serveRejectingGrpcProxy(address, polls);
    const installation = await install({ atlas: await startAtlas() });
    const worker = installation.spawnWorker({ TEMPORAL_ADDRESS: proxy.address });
    expect(await worker.exited).toEqual({ code: 1, signal: null });
    expect(worker.logged('worker failed: the process ends')).toHaveLength(1);
    expect(() => linesOf(worker)).not.toThrow();
  });

  it.concurrent('that has not reached Temporal yet ends at SIGTERM with 0', async () => {
    let connections = 0;
    const silent = await serveSocket((_socket, text) => (connections += text === null ? 1 : 0));
    const installation = await install({ atlas: await startAtlas() });
    const worker = installation.spawnWorker({ TEMPORAL_ADDRESS: silent.address });
    await eventually('a connection', () => connections > 0);
    expect(await worker.stop()).toEqual({ code: 0, signal: null });
  });

  it.concurrent(
    'that is drained is not ready, keeps its token, and ends at a second signal',
    async () => {
      const system = await startSystem(PATIENT);
      const { atlas, installation, worker } = system;
      atlas.faults({ on: 'linkTokens', delayMs: NEVER_MS, afterCreating: true });
      const handle = await startPost(system);
      await untilStatus(worker, 200);
      worker.drain();
      await untilStatus(worker, 503);
      expect((await get(worker, '/readyz'))[1]).toMatch(/the worker is (STOPPING|DRAINING)/);
      atlas.clearFaults();

      expect(await worker.exited).toEqual({ code: 0, signal: null });
      const next = await installation.startWorker();
      expect(await endingOf(handle)).toMatchObject({ type: 'delivered', unconfirmedTokens: 0 });
      expect(installation.tokens()).toEqual(
        atlas.createdTokens().map(({ linkToken }) => linkToken),
      );

      // It waits for the response, which never comes, until a second signal ends it.
      atlas.faults({ on: 'linkTokens', delayMs: NEVER_MS });
      await startPost(system);
      next.drain();
      await untilStatus(next, 503);
      expect(await next.stop()).toEqual({ code: 1, signal: null });
    },
  );

  it.concurrent('lives on while it cannot reach Temporal, and is not ready', async () => {
    const probes = { readyz: [503, 'Temporal does not respond\n'], livez: [200, 'ok\n'] };
    expect(await lostTemporal()).toMatchObject({ silenced: probes, disconnected: probes });
  });

  it.concurrent('that cannot reach Temporal ends at SIGINT', async () => {
    expect((await lostTemporal()).exit).toEqual({ code: 0, signal: null });
  });

  it.concurrent('prints JSON lines only, even those of Node and of Core', async () => {
    const { worker } = await lostTemporal();
    expect(linesOf(worker).map(({ msg }) => msg)).toEqual(
      expect.arrayContaining([
        'a warning of Node',
        'SIGINT: draining; a second signal ends at once',
        'worker stopped',
      ]),
    );
  });
});
