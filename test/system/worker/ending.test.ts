import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { startEmbeddedTemporal } from '../../../dev/temporal/embedded-temporal';
import { startAtlas, type TestAtlas } from '../../support/atlas';
import { eventually } from '../../support/eventually';
import { deploy, startInstallation, type Deployment } from '../../support/installation';
import { endingOf } from '../../support/runs';
import { serveRejectingGrpcProxy, serveSocket, serveTcpProxy } from '../../support/servers';
import { sharedTemporal } from '../../support/temporal';
import { linesOf, type WorkerProcess } from '../../support/worker-process';

/** Exceeds every test: the response never comes. */
const NEVER_MS = 600_000;

async function get(worker: WorkerProcess, path: string): Promise<[status: number, text: string]> {
  const response = await fetch(worker.healthUrl() + path);
  return [response.status, await response.text()];
}

async function untilReady(worker: WorkerProcess): Promise<void> {
  await eventually('a worker that is ready', async () => (await get(worker, '/readyz'))[0] === 200);
}

/** A worker that waits for the response to a POST. */
async function startBusyWorker() {
  const config = { atlas: { requestTimeoutMs: 300_000 } };
  const { atlas, deployment, worker } = await startInstallation({ config });
  atlas.faults({ on: 'linkTokens', delayMs: NEVER_MS });
  await deployment.start();
  await eventually('a POST', () => atlas.posts().at(-1)?.status === null);
  return worker;
}

/** Runs one job to its end, so that there is an access token to revoke. */
async function deliverOne(deployment: Deployment): Promise<void> {
  expect(await endingOf(await deployment.start())).toMatchObject({ type: 'delivered' });
}

/** A worker that has delivered, and has nothing to do. */
async function expectIdleEnd(atlas: TestAtlas, worker: WorkerProcess, signal: NodeJS.Signals): Promise<void> {
  expect(atlas.state().serviceAccounts[0]?.liveAccessTokens).toBe(1);
  const revoked = atlas.requestsOn('oauthRevoke').length;
  process.kill(worker.pid, signal);
  expect(await worker.exited).toEqual({ code: 0, signal: null });
  expect(atlas.requestsOn('oauthRevoke')).toHaveLength(revoked + 1);
  expect(atlas.state().serviceAccounts[0]?.liveAccessTokens).toBe(0);
  expect(worker.logged(`${signal}: draining; a second signal ends at once`)).toHaveLength(1);
  expect(worker.logged('worker stopped')).toHaveLength(1);
}

describe('a worker', () => {
  it.concurrent('ends at SIGTERM within the documented bound while Atlas hangs', async () => {
    const requestTimeoutMs = 2000;
    const atlas = await startAtlas();
    const deployment = await deploy({ atlas, config: { atlas: { requestTimeoutMs } } });
    const worker = await deployment.startWorker();
    await deliverOne(deployment);
    for (const on of ['linkTokens', 'oauthRevoke'] as const)
      atlas.faults({ on, delayMs: NEVER_MS, times: 100 });
    await deployment.start();
    await eventually('a POST', () => atlas.posts().at(-1)?.status === null);
    const signalledMs = Date.now();
    expect(await worker.stop()).toEqual({ code: 0, signal: null });
    expect(Date.now() - signalledMs).toBeLessThan(4 * requestTimeoutMs + 15_000);
  });

  it.concurrent('whose polls are refused for good logs why and ends with 1', async () => {
    const { address } = await sharedTemporal();
    const polls = /\/Poll(Workflow|Activity)TaskQueue$/;
    const proxy = await serveRejectingGrpcProxy(address, polls);
    const deployment = await deploy({ atlas: await startAtlas() });
    const worker = deployment.spawnWorker({ TEMPORAL_ADDRESS: proxy.address });
    expect(await worker.exited).toEqual({ code: 1, signal: null });
    expect(worker.logged('worker failed: the process ends')).toHaveLength(1);
    for (const line of worker.output().trim().split('\n'))
      expect(() => JSON.parse(line) as unknown).not.toThrow();
  });

  it.concurrent('that has not reached Temporal yet ends at SIGTERM with 0', async () => {
    let connections = 0;
    const silent = await serveSocket((_socket, text) => (connections += text === null ? 1 : 0));
    const deployment = await deploy({ atlas: await startAtlas() });
    const worker = deployment.spawnWorker({ TEMPORAL_ADDRESS: `127.0.0.1:${silent.port}` });
    await eventually('a connection', () => connections > 0);
    expect(await worker.stop()).toEqual({ code: 0, signal: null });
  });

  it.concurrent('that drains says so at /readyz, and a second signal ends it', async () => {
    const worker = await startBusyWorker();
    expect(await get(worker, '/livez')).toEqual([200, 'ok\n']);
    await untilReady(worker);

    worker.drain();
    await eventually('draining', async () => (await get(worker, '/readyz'))[0] === 503);
    expect((await get(worker, '/readyz'))[1]).toMatch(/the worker is (STOPPING|DRAINING)/);
    expect((await get(worker, '/livez'))[0]).toBe(200);
    // It waits for the response, which never comes, until the second signal.
    expect(await worker.stop()).toEqual({ code: 1, signal: null });
  });

  it.concurrent(
    'drained while Atlas creates a token keeps it; idle at SIGTERM it revokes its access token',
    async () => {
      // Draining an idle worker for the grace time would take longer than the test may.
      const config = { atlas: { requestTimeoutMs: 300_000 } };
      const { atlas, deployment, worker } = await startInstallation({ config });
      atlas.faults({ on: 'linkTokens', delayMs: 3000, afterCreating: true });
      const handle = await deployment.start();
      await eventually('a POST', () => atlas.posts().at(-1)?.status === null);

      expect(await worker.stop()).toEqual({ code: 0, signal: null });
      const next = await deployment.startWorker();
      expect(await endingOf(handle)).toMatchObject({ type: 'delivered', unconfirmedTokens: 0 });
      expect(deployment.tokens()).toEqual(atlas.createdTokens().map(({ linkToken }) => linkToken));

      await deliverOne(deployment);
      await expectIdleEnd(atlas, next, 'SIGTERM');
    },
  );

  it.concurrent(
    'lives on while Temporal is gone, is not ready, prints JSON lines only, and can be stopped',
    async () => {
      const temporal = await startEmbeddedTemporal();
      const deployment = await deploy({ atlas: await startAtlas(), temporal });
      const preload = path.join(deployment.folder, 'warn.cjs');
      writeFileSync(preload, "process.on('SIGUSR2', () => process.emitWarning('a warning of Node'));\n");
      const worker = await deployment.startWorker({ NODE_OPTIONS: `--require ${preload}` });
      await untilReady(worker);
      process.kill(worker.pid, 'SIGUSR2');
      await eventually('the warning', () => worker.logged('a warning of Node').length > 0);

      await temporal.stop();
      await eventually('not ready', async () => (await get(worker, '/readyz'))[0] === 503);
      expect(await get(worker, '/readyz')).toEqual([503, 'Temporal does not respond\n']);
      expect(await get(worker, '/livez')).toEqual([200, 'ok\n']);
      await eventually('a warning of Core', () =>
        linesOf(worker).some(({ sdkComponent, level }) => sdkComponent === 'core' && level === 'warn'),
      );
      expect(await worker.stop()).toEqual({ code: 0, signal: null });
      expect(linesOf(worker)).toContainEqual(
        expect.objectContaining({ level: 'warn', msg: 'a warning of Node' }),
      );
    },
  );

  it.concurrent(
    'is not ready while its polls do not reach Temporal; idle at SIGINT it revokes its access token',
    async () => {
      const { address } = await sharedTemporal();
      const proxy = await serveTcpProxy(address);
      const atlas = await startAtlas();
      const deployment = await deploy({ atlas, config: { atlas: { requestTimeoutMs: 300_000 } } });
      const worker = await deployment.startWorker({ TEMPORAL_ADDRESS: proxy.address });
      await untilReady(worker);

      proxy.cut();
      await eventually('not ready', async () => (await get(worker, '/readyz'))[0] === 503);
      expect(await get(worker, '/readyz')).toEqual([503, 'Temporal does not respond\n']);
      expect(await get(worker, '/livez')).toEqual([200, 'ok\n']);
      proxy.restore();
      await untilReady(worker);
      await deliverOne(deployment);
      await expectIdleEnd(atlas, worker, 'SIGINT');
    },
  );
});
