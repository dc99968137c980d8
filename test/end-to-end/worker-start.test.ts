import { createServer, type AddressInfo } from 'node:net';
import { once } from 'node:events';
import { rmSync, writeFileSync } from 'node:fs';
import { freePort } from '../../dev/free-port';
import type { TestAtlas } from '../support/atlas';
import { cleanUpLater } from '../support/clean-up';
import type { Deployment } from '../support/deployment';
import { endingOf } from '../support/ending';
import { eventually } from '../support/eventually';
import { deploy, startAtlas } from '../support/setting';

jest.setTimeout(60_000);

let atlas: TestAtlas;
beforeAll(async () => {
  atlas = await startAtlas();
});

describe('a worker that cannot start says why in one message, ends with 1 and has started nothing', () => {
  it.each<[string, (deployment: Deployment) => Record<string, string>, string[]]>([
    [
      'broken YAML',
      ({ configFile }) => {
        writeFileSync(configFile, 'sinks:\n  files: {type: file\n');
        return {};
      },
      ['live-migration-prep.yaml'],
    ],
    [
      'unknown keys, each with its place',
      (deployment) => {
        deployment.configure({ colour: 'blue', atlas: { timeout: 1 } });
        return {};
      },
      ['colour', 'atlas.timeout', 'is not a setting'],
    ],
    [
      'variables that are not set',
      () => ({ MONGODB_ATLAS_CLIENT_ID: '', MONGODB_ATLAS_CLIENT_SECRET: '' }),
      ['MONGODB_ATLAS_CLIENT_ID', 'MONGODB_ATLAS_PUBLIC_API_KEY'],
    ],
    [
      'half a credential',
      () => ({ MONGODB_ATLAS_CLIENT_SECRET: '' }),
      ['MONGODB_ATLAS_CLIENT_SECRET is not set'],
    ],
    [
      'no sealing key',
      (deployment) => {
        deployment.configure({ sealing: {} });
        return {};
      },
      ['LIVE_MIGRATION_PREP_SEALING_KEYS', 'live-migration-prep keys --file sealing-keys.json'],
    ],
    [
      'a sealing key file that is missing',
      ({ keysFile }) => {
        rmSync(keysFile);
        return {};
      },
      ['sealing.keys', 'ENOENT'],
    ],
    [
      'no configuration file',
      ({ configFile }) => {
        rmSync(configFile);
        return {};
      },
      ['live-migration-prep.yaml'],
    ],
  ])('%s', async (_what, prepare, messages) => {
    const deployment = await deploy({ atlas });
    const worker = deployment.spawnWorker(prepare(deployment));
    expect(await worker.exited).toEqual({ code: 1, signal: null });
    const output = worker.output();
    for (const message of messages) expect(output).toContain(message);
    expect(output).toMatch(/^live-migration-prep-worker: /);
    expect(output).not.toMatch(/\n\s+at /);
    expect(output).not.toContain('worker starts');
  });

  it('a port in use', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    cleanUpLater(() => server.close());
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const deployment = await deploy({ atlas, config: { health: { port } } });
    const worker = deployment.spawnWorker();
    expect(await worker.exited).toEqual({ code: 1, signal: null });
    expect(worker.output()).toContain(
      `cannot listen on 127.0.0.1:${port} (EADDRINUSE): set health.port to a free port`,
    );
    expect(worker.output()).not.toMatch(/worker starts|\n\s+at /);
  });

  it('a Temporal that is not there', async () => {
    const address = `127.0.0.1:${await freePort()}`;
    const deployment = await deploy({ atlas });
    const worker = deployment.spawnWorker({ TEMPORAL_ADDRESS: address });
    expect(await worker.exited).toEqual({ code: 1, signal: null });
    expect(worker.output()).toContain(`cannot reach Temporal at ${address}`);
    expect(worker.output()).toContain('TEMPORAL_ADDRESS');
  });
});

describe('a running worker', () => {
  async function get(url: string): Promise<{ status: number; text: string }> {
    const response = await fetch(url);
    return { status: response.status, text: await response.text() };
  }

  it('answers /livez and /readyz, and while it drains /readyz says 503 and why; a second signal ends it', async () => {
    const deployment = await deploy({ atlas });
    const worker = await deployment.startWorker();
    const url = worker.healthUrl();
    expect(await get(`${url}/livez`)).toEqual({ status: 200, text: 'ok\n' });
    expect(await get(`${url}/readyz`)).toEqual({ status: 200, text: 'ok\n' });
    expect(await get(`${url}/other`)).toMatchObject({ status: 404 });

    atlas.faults({ on: 'linkTokens', delayMs: 20_000, status: 500 });
    await deployment.start();
    await eventually('a POST', () => atlas.posts().at(-1)?.status === null);
    worker.drain();
    await eventually('draining', async () => (await get(`${url}/readyz`)).status === 503);
    expect((await get(`${url}/readyz`)).text).toMatch(/the worker is (STOPPING|DRAINING)/);
    expect(await get(`${url}/livez`)).toMatchObject({ status: 200 });

    const signalledAt = Date.now();
    expect(await worker.stop()).toEqual({ code: 1, signal: null });
    expect(Date.now() - signalledAt).toBeLessThan(2000);
  });

  it('takes work within a moment, and SIGTERM without work ends it with 0', async () => {
    const deployment = await deploy({ atlas });
    const worker = await deployment.startWorker();
    expect(await endingOf(await deployment.start())).toMatchObject({ type: 'delivered' });
    expect(await worker.stop()).toEqual({ code: 0, signal: null });
    expect(worker.logged('worker stopped')).toHaveLength(1);
  });
});
