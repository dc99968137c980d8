import type { Fault } from '../../../dev/atlas-emulator';
import type { AdminApi } from '../../../src/atlas/admin-api';
import { classifyAtlasError, type AtlasOutcome } from '../../../src/atlas/outcomes';
import { CREDENTIALS, create, start as startWith } from './emulated';

const IN_FLIGHT = 20;
/** The first probe follows after half of it, the next after all of it. */
const INITIAL_INTERVAL_MS = 60_000;
const backoff = { initialIntervalMs: INITIAL_INTERVAL_MS, backoffCoefficient: 2, maximumIntervalMs: 600_000 };
const FAILS: Fault = { on: 'linkTokens', probability: 1, status: 503 };

let skippedMs = 0;
const now = performance.now.bind(performance);
beforeEach(() => {
  skippedMs = 0;
  jest.spyOn(performance, 'now').mockImplementation(() => now() + skippedMs);
});
afterEach(() => jest.restoreAllMocks());

async function start() {
  const credentials = new Map(
    Object.entries({ acme: CREDENTIALS.serviceAccount, other: CREDENTIALS.apiKey }),
  );
  const [atlas, emulator] = await startWith('serviceAccount', { backoff, credentials });
  const posts = () => emulator.requestsOn('linkTokens').filter(({ challenge }) => !challenge).length;
  return { emulator, atlas, posts };
}

/** Sends requests at the same time; returns the failure of each, `created` for a token. */
async function outcomes(atlas: AdminApi, requests: number, credential = 'acme') {
  const one = () => create(atlas, undefined, credential);
  const settled = await Promise.allSettled(Array.from({ length: requests }, one));
  return settled.map((result) =>
    result.status === 'fulfilled' ? ('created' as const) : classifyAtlasError(result.reason, 'linkTokens'),
  );
}

function notSent(found: readonly (AtlasOutcome | 'created')[]): AtlasOutcome[] {
  return found.filter(
    (outcome) => outcome !== 'created' && outcome.message.startsWith('not sent:'),
  ) as AtlasOutcome[];
}

test('a failure rejects all further requests of its credential until a time that they name, and none waits', async () => {
  const { emulator, atlas, posts } = await start();
  await outcomes(atlas, 1);
  emulator.faults(FAILS);
  expect(notSent(await outcomes(atlas, IN_FLIGHT))).toEqual([]);
  expect(posts()).toBe(1 + IN_FLIGHT);

  const rejected = notSent(await outcomes(atlas, IN_FLIGHT));
  expect(rejected).toHaveLength(IN_FLIGHT);
  expect(posts()).toBe(1 + IN_FLIGHT);
  const notCounted = { type: 'AtlasUnavailable', retryable: true, tokenMayExist: false };
  for (const outcome of rejected) {
    expect(outcome).toMatchObject({ ...notCounted, details: { status: 503 } });
    const { message, retryAfterMs = 0 } = outcome;
    const [, until = '', lastError] =
      /credential acme until (\S+), after this error: (.*)$/.exec(message) ?? [];
    expect(lastError).toMatch(/^Atlas returned 503/);
    expect(Math.abs(Date.parse(until) - (Date.now() + retryAfterMs))).toBeLessThan(10_000);
    expect(retryAfterMs).toBeGreaterThan(0);
    expect(retryAfterMs).toBeLessThanOrEqual(INITIAL_INTERVAL_MS / 2);
  }

  emulator.clearFaults();
  expect(await outcomes(atlas, 1, 'other')).toEqual(['created']);
});

test('one request at a time probes, at growing intervals, until one succeeds', async () => {
  const { emulator, atlas, posts } = await start();
  emulator.faults(FAILS);
  await outcomes(atlas, 1);
  for (const [probe, intervalMs] of [30_000, 60_000, 120_000].entries()) {
    skippedMs += intervalMs - 10_000;
    expect(notSent(await outcomes(atlas, IN_FLIGHT))).toHaveLength(IN_FLIGHT);
    skippedMs += 10_000;
    const rejected = notSent(await outcomes(atlas, IN_FLIGHT));
    expect(rejected).toHaveLength(IN_FLIGHT - 1);
    expect(rejected[0]?.attempt).toBe(1 + probe);
    expect(rejected[0]?.message).toContain(
      'one link-token request at a time with credential acme, which tests',
    );
    expect(posts()).toBe(2 + probe);
  }
  emulator.clearFaults();
  skippedMs += 240_000;
  expect((await outcomes(atlas, IN_FLIGHT)).filter((outcome) => outcome === 'created')).toHaveLength(1);
  expect(await outcomes(atlas, IN_FLIGHT)).toEqual(Array(IN_FLIGHT).fill('created'));
});

const on = 'linkTokens';
it.each<[what: string, fault: Fault, opens: boolean]>([
  ['500', { on, status: 500 }, true],
  ['408', { on, status: 408 }, true],
  ['a connection that closes after the request', { on, reset: 'before-body' }, true],
  ['500 to the access-token request', { on: 'oauth', status: 500 }, true],
  ['429 with Retry-After', { on, status: 429, headers: { 'Retry-After': '60' } }, true],
  ['429 without Retry-After', { on, status: 429 }, false],
  ['such a 429 to the access-token request', { on: 'oauth', status: 429 }, false],
  [
    '429 with Retry-After to the access-token request',
    { on: 'oauth', status: 429, headers: { 'Retry-After': '60' } },
    true,
  ],
  ['400', { on, status: 400 }, false],
  ['403', { on, status: 403 }, false],
  ['404', { on, status: 404 }, false],
  ['2xx without a token', { on, status: 200, body: {} }, false],
  ['no access token left', { on: 'oauth', status: 403, errorCode: 'access_denied' }, false],
])('%s opens the circuit: %#', async (_what, fault, opens) => {
  const { emulator, atlas } = await start();
  emulator.faults(fault);
  await outcomes(atlas, 1);
  expect(notSent(await outcomes(atlas, 1))).toHaveLength(opens ? 1 : 0);
});

it('a refused connection opens the circuit', async () => {
  const { emulator, atlas } = await start();
  await emulator.close();
  expect(notSent(await outcomes(atlas, 1))).toEqual([]);
  expect(notSent(await outcomes(atlas, 1))).toHaveLength(1);
});

it.each<[on: 'linkTokens' | 'oauth', seconds: string, openMs: number]>([
  ['linkTokens', '120', 120_000],
  ['linkTokens', '901', 15 * 60_000],
  ['linkTokens', '99999999999999999999', 15 * 60_000],
  ['oauth', '86400', 15 * 60_000],
])('429 to %s with a Retry-After of %s s opens it for %i ms', async (route, seconds, openMs) => {
  const { emulator, atlas } = await start();
  emulator.faults({ on: route, status: 429, headers: { 'Retry-After': seconds } });
  const [first] = await outcomes(atlas, 1);
  expect(first).toMatchObject({ retryAfterMs: Math.min(Number(seconds) * 1000, 24 * 3_600_000) });
  skippedMs += openMs - 10_000;
  expect(notSent(await outcomes(atlas, 1))).toHaveLength(1);
  skippedMs += 10_000;
  expect(await outcomes(atlas, 1)).toEqual(['created']);
});

test('of requests under way together, the longest Retry-After counts', async () => {
  const { emulator, atlas } = await start();
  await outcomes(atlas, 1);
  emulator.faults([
    { on, status: 503 },
    { on, status: 503, headers: { 'Retry-After': '600' }, delayMs: 200 },
  ]);
  await outcomes(atlas, 2);
  skippedMs += 590_000;
  expect(notSent(await outcomes(atlas, 1))).toHaveLength(1);
  skippedMs += 10_000;
  expect(await outcomes(atlas, 1)).toEqual(['created']);
});

test('an open circuit says what it waits for and until when; a closed one says nothing', async () => {
  const { emulator, atlas } = await start();
  expect(atlas.describeOpenCircuit('acme')).toBeNull();
  emulator.faults({ on, status: 429, errorCode: 'RATE_LIMITED', headers: { 'Retry-After': '86400' } });
  await outcomes(atlas, 1);
  const described =
    /^this worker sends no link-token request with credential acme until (\S+), after this error: Atlas returned 429 RATE_LIMITED /;
  const [, until = ''] = described.exec(atlas.describeOpenCircuit('acme') ?? '') ?? [];
  expect(Math.abs(Date.parse(until) - (Date.now() + 15 * 60_000))).toBeLessThan(10_000);
  expect(atlas.describeOpenCircuit('other')).toBeNull();

  skippedMs += 15 * 60_000;
  expect(atlas.describeOpenCircuit('acme')).toMatch(/^this worker sends one link-token request at a time/);
  await outcomes(atlas, 1);
  expect(atlas.describeOpenCircuit('acme')).toBeNull();
});

test('a request that is stopped before it is written leaves the circuit closed', async () => {
  const { atlas } = await start();
  const stop = new AbortController();
  const stopped = create(atlas, stop.signal, 'acme');
  stop.abort(new Error('stopped'));
  await expect(stopped).rejects.toThrow('stopped');
  expect(await outcomes(atlas, 1)).toEqual(['created']);
});

test('a probe that is stopped before it is written leaves the circuit open, and the next one probes', async () => {
  const { emulator, atlas, posts } = await start();
  emulator.faults([{ on: 'oauth', status: 503 }]);
  await outcomes(atlas, 1);
  skippedMs += INITIAL_INTERVAL_MS;
  const stop = new AbortController();
  const probe = create(atlas, stop.signal, 'acme');
  expect(notSent(await outcomes(atlas, 1))).toHaveLength(1);
  stop.abort(new Error('stopped'));
  await expect(probe).rejects.toThrow('stopped');
  expect(posts()).toBe(0);
  expect(atlas.describeOpenCircuit('acme')).toContain('after this error: Atlas returned 503');
  expect(await outcomes(atlas, 2)).toContain('created');
  expect(posts()).toBe(1);
});

test('a clock that is set changes nothing', async () => {
  const { emulator, atlas } = await start();
  emulator.faults({ on, status: 503 });
  await outcomes(atlas, 1);
  for (const setMs of [-7_200_000, 7_200_000]) {
    const clock = jest.spyOn(Date, 'now').mockReturnValue(Date.now() + setMs);
    expect(notSent(await outcomes(atlas, 1))).toHaveLength(1);
    clock.mockRestore();
  }
});
