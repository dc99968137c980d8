import { createCircuitBreaker } from '../../../src/atlas/circuit-breaker';
import type { Endpoint } from '../../../src/atlas/credential';
import { connectionError, responseError, type AtlasError } from '../../../src/atlas/outcomes';
import { settingsSchema } from '../../../src/config/settings';

const IN_FLIGHT = 20;
const MINUTE_MS = 60_000;
/** The first probe follows after half of the initial interval, the next after all of it. */
const BACKOFF = { initialIntervalMs: 60_000, maximumIntervalMs: 600_000 };

const NOW = Date.parse('2026-01-02T03:04:05Z');
beforeEach(() => void jest.useFakeTimers({ now: NOW }));
afterEach(() => void jest.useRealTimers());
const elapse = (ms: number) => jest.advanceTimersByTime(ms);

const responded = (
  status: number,
  retryAfterMs?: number,
  endpoint: Endpoint = 'linkTokens',
  json = {},
) => responseError(endpoint, { status, json, retryAfterMs });
const connectionLost = (isWritten: boolean) =>
  connectionError('linkTokens', isWritten, 'ECONNRESET', 'https://atlas.test');

/** Creates a circuit breaker, and functions that send requests through it. */
function start(backoff = BACKOFF) {
  const circuit = createCircuitBreaker('acme', backoff);
  const send = jest.fn((error: Error | null) =>
    error ? Promise.reject(error) : Promise.resolve(),
  );

  /**
   * Sends one request, which fails with this error or succeeds. Returns the failure if it was not
   * sent, else null.
   */
  const request = (error: Error | null = null) =>
    circuit
      .run(() => send(error))
      .then(
        () => null,
        (thrown: unknown) => (thrown === error ? null : (thrown as AtlasError).failure),
      );

  /** Sends requests at the same time. Returns the failures of those that were not sent. */
  async function sendMany(error: Error | null = null) {
    const failures = await Promise.all(Array.from({ length: IN_FLIGHT }, () => request(error)));
    return failures.filter((failure) => failure !== null);
  }
  return { request, sendMany, send, describeState: circuit.describe };
}

it('after a failure all requests are held back until a stated time', async () => {
  const { sendMany, send, describeState } = start();
  expect(describeState()).toBeNull();
  expect(await sendMany(responded(503))).toEqual([]);
  expect(send).toHaveBeenCalledTimes(IN_FLIGHT);

  const rejections = await sendMany();
  expect(rejections).toHaveLength(IN_FLIGHT);
  expect(send).toHaveBeenCalledTimes(IN_FLIGHT);
  const why =
    'Atlas returned 503 to the link-token request; after that, this worker sends no link-token' +
    ' request with credential acme until 2026-01-02T03:04:35.000Z';
  expect(rejections[0]).toMatchObject({
    type: 'AtlasUnavailable',
    permanent: false,
    tokenMayExist: false,
    details: { status: 503 },
    retryAfterMs: 30_000,
    message: expect.stringContaining(`not sent, since ${why}`),
  });
  expect(describeState()).toContain(why);
});

it('a change of the clock does not close the circuit', async () => {
  const { request, sendMany } = start();
  await request(responded(503));
  for (const setMs of [-7_200_000, 7_200_000]) {
    jest.setSystemTime(NOW + setMs);
    expect(await sendMany()).toHaveLength(IN_FLIGHT);
  }
});

it('one request at a time probes, at growing intervals, until one succeeds', async () => {
  const { request, sendMany, send, describeState } = start();
  await request(responded(503));
  for (const [probe, intervalMs] of [30_000, 60_000, 120_000].entries()) {
    elapse(intervalMs - 1);
    expect(await sendMany(responded(503))).toHaveLength(IN_FLIGHT);
    elapse(1);
    const rejections = await sendMany(responded(503));
    expect(rejections).toHaveLength(IN_FLIGHT - 1);
    expect(rejections[0]).toMatchObject({
      consecutiveAtlasFailures: 1 + probe,
      message: expect.stringContaining(
        'sends one link-token request at a time with credential acme',
      ),
    });
    expect(send).toHaveBeenCalledTimes(2 + probe);
  }
  elapse(240_000);
  expect(await sendMany()).toHaveLength(IN_FLIGHT - 1);
  expect(await sendMany()).toEqual([]);
  expect(describeState()).toBeNull();
});

it('Atlas gets 125 requests in an hour of immediate 500s, with the default delays', async () => {
  const context = { env: {}, baseDirectory: '/', warn: () => undefined };
  const { shape } = settingsSchema(context, { credentials: [], sinks: [] });
  const { request, send } = start(shape.retries.parse(undefined));
  for (let passedMs = 0; passedMs < 60 * MINUTE_MS; passedMs += 500) {
    await request(responded(500));
    elapse(500);
  }
  expect(send).toHaveBeenCalledTimes(125);
});

/** Counts the requests that are not sent after this error. */
async function countRejectedAfter(error: AtlasError): Promise<number> {
  const { request, sendMany } = start();
  await request(error);
  return (await sendMany()).length;
}

const NO_MORE_TOKENS = responded(403, undefined, 'oauthToken', { error: 'access_denied' });
const WAIT_FOR_TOKEN = responded(408, 60_000, 'oauthToken');

it.each([
  ['408', 'opens the circuit', responded(408)],
  ['a connection that closes after the request', 'opens the circuit', connectionLost(true)],
  ['a refused connection', 'opens the circuit', connectionLost(false)],
  ['500 to the access-token request', 'opens the circuit', responded(500, undefined, 'oauthToken')],
  ['429 with Retry-After', 'opens the circuit', responded(429, 60_000)],
  ['429 without Retry-After', 'leaves the circuit closed', responded(429)],
  ['2xx without a token', 'leaves the circuit closed', responded(200)],
  ['a refusal of another access token', 'leaves the circuit closed', NO_MORE_TOKENS],
  ['a wait that the token endpoint requests', 'opens the circuit', WAIT_FOR_TOKEN],
])('%s %s', async (_what, outcome, error) => {
  expect(await countRejectedAfter(error)).toBe(outcome === 'opens the circuit' ? IN_FLIGHT : 0);
});

it.each([
  ['2 minutes', '2 minutes', 2 * MINUTE_MS, 2 * MINUTE_MS],
  ['24 hours', '15 minutes', 24 * 60 * MINUTE_MS, 15 * MINUTE_MS],
])(
  'the longest Retry-After of several failures is %s: the circuit is open for %s',
  async (_asked, _open, askedMs, openMs) => {
    const { request, sendMany } = start();
    const errors = [responded(503), responded(429, askedMs), responded(503), responded(400)];
    await Promise.all(errors.map((error) => request(error)));
    elapse(openMs - 1);
    expect(await sendMany()).toHaveLength(IN_FLIGHT);
    elapse(1);
    expect(await request()).toBeNull();
  },
);

/** A request through the circuit breaker that is under way until the test ends it. */
function startRequest(circuit: ReturnType<typeof createCircuitBreaker>) {
  let end: (error: Error | null) => void = () => undefined;
  const response = new Promise<void>((resolve, reject) => {
    end = (error) => (error ? reject(error) : resolve());
  });
  const settled = circuit.run(() => response).catch(() => undefined);
  return async (error: Error | null = null) => {
    end(error);
    await settled;
  };
}

it('a circuit that closes forgets a Retry-After that came during the outage', async () => {
  const circuit = createCircuitBreaker('acme', BACKOFF);
  const fail = () => circuit.run(() => Promise.reject(responded(503))).catch(() => undefined);
  const endEarlierRequest = startRequest(circuit);
  await fail();
  elapse(30_000);
  const endProbe = startRequest(circuit);
  await endEarlierRequest(responded(429, 600_000));
  await endProbe();
  expect(circuit.describe()).toBeNull();
  await fail();
  expect(circuit.describe()).toContain('until 2026-01-02T03:05:05.000Z');
});

it('a request that was under way when Atlas failed closes nothing by its success', async () => {
  const circuit = createCircuitBreaker('acme', BACKOFF);
  const endEarlierRequest = startRequest(circuit);
  await circuit.run(() => Promise.reject(responded(503))).catch(() => undefined);
  await endEarlierRequest();
  expect(circuit.describe()).not.toBeNull();
});

it('a request that is stopped leaves the circuit as it is', async () => {
  const { request, sendMany, describeState } = start();
  await request(new Error('stopped'));
  expect(await sendMany()).toEqual([]);

  await request(responded(503));
  elapse(30_000);
  expect(await request(new Error('stopped'))).toBeNull();
  expect(describeState()).toMatch(
    /^Atlas returned 503 .*; after that, this worker sends one link-token request/,
  );
  expect(await request()).toBeNull();
  expect(describeState()).toBeNull();
});
