import { createCircuitBreakers } from '../../../src/atlas/circuit-breaker';
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
) => responseError(endpoint, 'acme', { status, json, retryAfterMs });
const connectionLost = (isWritten: boolean) =>
  connectionError('linkTokens', isWritten, 'ECONNRESET', 'https://atlas.test');

type Circuit = ReturnType<ReturnType<typeof createCircuitBreakers>>;

/** Creates the circuit breaker of a credential, and functions that send requests through it. */
function start(backoff = BACKOFF, circuit = createCircuitBreakers(backoff)('acme')) {
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

  await request(responded(503));
  elapse(30_000);
  expect(await request()).toBeNull();
});

it.each([
  [1, 500, 125],
  [2, 500, 250],
  [5, 500, 127],
  [300, 15_000, 242],
])(
  'in an hour of immediate 500s to %d credentials, tried every %d ms, Atlas gets %d requests',
  async (credentials, stepMs, sent) => {
    const context = { env: {}, baseDirectory: '/', warn: () => undefined };
    const { shape } = settingsSchema(context, { credentials: [], sinks: [] });
    const circuitFor = createCircuitBreakers(shape.retries.parse(undefined));
    const senders = Array.from({ length: credentials }, (_, index) =>
      start(BACKOFF, circuitFor(`credential ${index}`)),
    );
    for (let passedMs = 0; passedMs < 60 * MINUTE_MS; passedMs += stepMs) {
      for (const { request } of senders) await request(responded(500));
      elapse(stepMs);
    }
    const sentBy = senders.map(({ send }) => send.mock.calls.length);
    expect(sentBy.reduce((sum, one) => sum + one)).toBe(sent);
  },
);

/** Counts the requests that are not sent after this error. */
async function countRejectedAfter(error: AtlasError): Promise<number> {
  const { request, sendMany } = start();
  await request(error);
  return (await sendMany()).length;
}

const NO_MORE_TOKENS = responded(403, undefined, 'oauthToken', { error: 'access_denied' });

it.each([
  ['408', 'opens the circuit', responded(408)],
  ['a connection that closes after the request', 'opens the circuit', connectionLost(true)],
  ['a refused connection', 'opens the circuit', connectionLost(false)],
  ['500 to the access-token request', 'opens the circuit', responded(500, undefined, 'oauthToken')],
  ['429 with Retry-After', 'leaves the circuit closed', responded(429, 60_000)],
  ['2xx without a token', 'leaves the circuit closed', responded(200)],
  ['a refusal of another access token', 'leaves the circuit closed', NO_MORE_TOKENS],
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
    const errors = [responded(503), responded(503, askedMs), responded(503), responded(400)];
    await Promise.all(errors.map((error) => request(error)));
    elapse(openMs - 1);
    expect(await sendMany()).toHaveLength(IN_FLIGHT);
    elapse(1);
    expect(await request()).toBeNull();
  },
);

/** A request through the circuit breaker that is under way until the test ends it. */
function startRequest(circuit: Circuit) {
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
  const circuit = createCircuitBreakers(BACKOFF)('acme');
  const fail = () => circuit.run(() => Promise.reject(responded(503))).catch(() => undefined);
  const endEarlierRequest = startRequest(circuit);
  await fail();
  elapse(30_000);
  const endProbe = startRequest(circuit);
  await endEarlierRequest(responded(503, 600_000));
  await endProbe();
  expect(circuit.describe()).toBeNull();
  await fail();
  expect(circuit.describe()).toContain('until 2026-01-02T03:05:05.000Z');
});

it('a request that was under way when Atlas failed closes nothing by its success', async () => {
  const circuit = createCircuitBreakers(BACKOFF)('acme');
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

it.each([400, 403, 429])(
  'a probe that gets %d neither closes the circuit nor delays the next',
  async (status) => {
    const { request, describeState } = start();
    await request(responded(503));
    elapse(30_000);
    await request(responded(status, status === 429 ? 60_000 : undefined));
    expect(describeState()).toContain('one link-token request at a time');
    expect(await request()).toBeNull();
    expect(describeState()).toBeNull();
  },
);

describe('with several credentials', () => {
  /** Creates senders, each with a credential of its own. */
  function startMany(count: number) {
    const circuitFor = createCircuitBreakers(BACKOFF);
    return Array.from({ length: count }, (_, index) =>
      start(BACKOFF, circuitFor(`credential-${index}`)),
    );
  }
  type Sender = ReturnType<typeof start>;
  const failAll = async (senders: readonly Sender[]) => {
    for (const { request } of senders) expect(await request(responded(500))).toBeNull();
  };

  it('two that fail hold back no other, however often they fail', async () => {
    const [first, second, healthy] = startMany(3) as [Sender, Sender, Sender];
    for (let hours = 0; hours < 24; hours += 1) {
      await failAll([first, second]);
      expect(await healthy.request()).toBeNull();
      expect(healthy.describeState()).toBeNull();
      elapse(60 * MINUTE_MS);
    }
  });

  it('any number that fails holds back no other while one succeeds between', async () => {
    const [healthy, ...failing] = startMany(21) as [Sender, ...Sender[]];
    for (const sender of failing) {
      await failAll([sender]);
      expect(await healthy.sendMany()).toEqual([]);
    }
    expect(healthy.describeState()).toBeNull();
  });

  it('three that fail with no success between hold back all, and one probes at a time', async () => {
    const senders = startMany(20);
    await failAll(senders.slice(0, 3));
    const [fourth, fifth, ...others] = senders.slice(3) as [Sender, Sender, ...Sender[]];
    const why =
      'Atlas returned 500 to the link-token request; after that, this worker sends no link-token' +
      ' request with any credential until 2026-01-02T03:04:20.000Z';
    expect((await fourth.request())?.message).toBe(`not sent, since ${why}`);
    for (const { describeState } of senders) expect(describeState()).toBe(why);

    for (const [probe, { sendMany, send }] of [fourth, fifth, ...others].entries()) {
      elapse(15_000);
      expect(await sendMany(responded(500))).toHaveLength(IN_FLIGHT - 1);
      expect(send).toHaveBeenCalledTimes(1);
      expect(await senders[probe]?.request()).toMatchObject({ tokenMayExist: false });
    }
  });

  it('one that has not failed probes before those that have, and after those one of them', async () => {
    const senders = startMany(4);
    const [first, second, third, healthy] = senders as [Sender, Sender, Sender, Sender];
    await failAll([first, second, third]);
    elapse(30_000 - 1);
    for (const { sendMany } of [first, second, third]) {
      expect(await sendMany(responded(500))).toHaveLength(IN_FLIGHT);
    }
    expect(await healthy.request()).toBeNull();

    elapse(1);
    await failAll([first, second, third]);
    elapse(60_000);
    expect(await first.request()).toBeNull();
    expect(healthy.describeState()).toBeNull();
  });

  it('forty that fail for ever hold a healthy one back until the next probe, each time', async () => {
    const [healthy, ...failing] = startMany(41) as [Sender, ...Sender[]];
    for (const sender of failing) {
      await failAll([sender]);
      await healthy.request();
    }
    for (let minutes = 0; minutes < 6; minutes += 1) {
      for (let seconds = 0; seconds < 60; seconds += 1) {
        elapse(1000);
        for (const { request } of failing) await request(responded(500));
      }
      let waitedSeconds = 0;
      for (; (await healthy.request()) !== null; waitedSeconds += 1) {
        elapse(1000);
        for (const { request } of failing) await request(responded(500));
      }
      expect(waitedSeconds).toBeLessThanOrEqual(15);
    }
  });

  it('the success of any lets all others follow, but for those that fail themselves', async () => {
    const senders = startMany(20);
    await failAll(senders.slice(0, 3));
    elapse(30_000);
    const [failing, , , probe, ...others] = senders as [
      Sender,
      Sender,
      Sender,
      Sender,
      ...Sender[],
    ];
    expect(await probe.request()).toBeNull();
    await failAll([failing]);
    expect(await failing.sendMany()).toHaveLength(IN_FLIGHT);
    expect(failing.describeState()).toContain('with credential credential-0 until');
    for (const { sendMany } of others) expect(await sendMany()).toEqual([]);
  });

  it('refusals and rate limits of several hold nobody back', async () => {
    const senders = startMany(20);
    for (const { request } of senders) await request(responded(429, 60_000));
    for (const { request } of senders) await request(responded(403));
    for (const { sendMany } of senders) expect(await sendMany()).toEqual([]);
  });
});
