import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import http2 from 'node:http2';
import type { AddressInfo } from 'node:net';
import type { NativeConnection } from '@temporalio/worker';
import { followApiKey } from '../../../src/temporal/follow-api-key';
import { connectWorker } from '../../../src/temporal/connection';
import { eventually } from '../../support/eventually';
import { temporaryFolder } from '../temporary-folder';

const fileIn = temporaryFolder();

/** Of gRPC: not compressed, and no bytes long. */
const EMPTY_MESSAGE = Buffer.alloc(5);

it('a connection takes up the API key when its file has changed since the connection was opened', async () => {
  const keys: unknown[] = [];
  const server = http2.createServer().on('stream', (stream, { authorization }) => {
    keys.push(authorization);
    stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
    stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
    stream.end(EMPTY_MESSAGE);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const file = fileIn('temporal.toml');
  const write = (key: string) =>
    writeFileSync(file, `[profile.default]\napi_key = "${key}"\n[profile.default.tls]\ndisabled = true\n`);
  write('key-1');
  const env = {
    TEMPORAL_CONFIG_FILE: file,
    TEMPORAL_ADDRESS: `127.0.0.1:${(server.address() as AddressInfo).port}`,
  };
  const connected = await connectWorker(env, 10_000);
  const { connection } = connected;
  const lastKey = async () => {
    await connection.workflowService.getSystemInfo({}).catch(() => undefined);
    return keys.at(-1);
  };
  expect(await lastKey()).toBe('Bearer key-1');
  // Rotated while the worker starts.
  write('key-2');
  const stop = followApiKey(connected, env, { info: jest.fn(), warn: jest.fn() }, 20);
  try {
    await eventually('the key of a rotation before', async () => (await lastKey()) === 'Bearer key-2');
  } finally {
    stop();
    await connection.close();
    server.close();
  }
});

describe('each time it looks', () => {
  const INTERVAL_MS = 1000;
  const setApiKey = jest.fn(() => Promise.resolve());
  const log = { info: jest.fn(), warn: jest.fn() };
  let stop: () => void;

  const profile = (...lines: string[]) =>
    writeFileSync(fileIn('temporal.toml'), ['[profile.default]', ...lines].join('\n'));
  /** What it did since the last look: keys that it took up, and lines that it logged. */
  async function looks(times = 1) {
    jest.clearAllMocks();
    await jest.advanceTimersByTimeAsync(times * INTERVAL_MS);
    const [taken, info, warn] = [setApiKey, log.info, log.warn].map(
      ({ mock }) => mock.calls.flat() as string[],
    );
    return { taken, info, warn };
  }
  const nothing = { taken: [], info: [], warn: [] };
  const tookUp = (key: string) => ({ taken: [key], info: ["took up Temporal's new API key"], warn: [] });
  const kept = (reason: string) => ({
    ...nothing,
    warn: [expect.stringContaining(`kept Temporal's former API key: ${reason}`)],
  });

  beforeEach(() => {
    jest.useFakeTimers();
    profile('api_key = "key-1"');
    const connection = { setApiKey } as unknown as NativeConnection;
    stop = followApiKey(
      { connection, apiKey: 'key-1' },
      { TEMPORAL_CONFIG_FILE: fileIn('temporal.toml') },
      log,
      INTERVAL_MS,
    );
  });
  afterEach(() => {
    stop();
    jest.useRealTimers();
  });

  it('it takes up a key that has changed, once', async () => {
    expect(await looks(3)).toEqual(nothing);
    profile('api_key = "key-2"');
    expect(await looks()).toEqual(tookUp('key-2'));
    expect(await looks(3)).toEqual(nothing);
  });

  it('it keeps the key when the profile has none, or it has stopped', async () => {
    profile();
    expect(await looks(3)).toEqual(nothing);
    profile('api_key = "key-2"');
    stop();
    expect(await looks(3)).toEqual(nothing);
  });

  it('it reports a problem once, and again when it comes back', async () => {
    for (let breaks = 0; breaks < 2; breaks += 1) {
      writeFileSync(fileIn('temporal.toml'), 'api_key = "broken');
      expect(await looks()).toEqual(kept('the profile file '));
      expect(await looks(3)).toEqual(nothing);
      profile('api_key = "key-1"');
      expect(await looks()).toEqual(nothing);
    }
  });

  it('it tries a key again that the connection did not take', async () => {
    profile('api_key = "key-2"');
    setApiKey.mockRejectedValueOnce(new Error('no'));
    expect(await looks()).toEqual({ ...kept('no'), taken: ['key-2'] });
    expect(await looks()).toEqual(tookUp('key-2'));
  });
});
