import { Context } from '@temporalio/activity';
import { waitUntilTemporalAccepts } from '../../../src/activities/wait-until-temporal-accepts';
import { clientOf, grpcError } from '../temporal/scripted-server';
import { attemptIn } from './attempt';

const NOT_FOUND = 5;
const UNAVAILABLE = 14;
const MINUTE_MS = 60_000;

jest.mock('node:timers/promises', () => ({
  setTimeout: (ms: number) => new Promise((resolve) => setTimeout(resolve, ms)),
}));
beforeEach(() => void jest.useFakeTimers());
afterEach(() => void jest.useRealTimers());

/** An attempt that holds a token. Temporal answers each of its heartbeats with `recordHeartbeat`. */
function hold(recordHeartbeat: () => object) {
  const taskTokens: Uint8Array[] = [];
  const client = clientOf({
    recordHeartbeat({ taskToken }) {
      taskTokens.push(taskToken);
      return recordHeartbeat();
    },
  });
  const warnings: string[] = [];
  const env = attemptIn({ taskToken: Buffer.from('own') }, client, ({ level, message }) => {
    warnings.push(`${level}: ${message}`);
  });
  let isOver = false;
  const waiting = env.run(() =>
    waitUntilTemporalAccepts(Context.current(), performance.now() + MINUTE_MS),
  );
  void waiting.then(() => (isOver = true));
  const seconds = async (n: number) => {
    await jest.advanceTimersByTimeAsync(n * 1000);
    return isOver;
  };
  return { env, taskTokens, warnings, seconds };
}

const unavailable = () => {
  throw grpcError(UNAVAILABLE, 'away');
};

it.each([
  ['takes it', () => ({})],
  ['takes it and says that the run is cancelled', () => ({ cancelRequested: true })],
  [
    'knows no such attempt any more',
    () => {
      throw grpcError(NOT_FOUND, 'no such attempt');
    },
  ],
])(
  'an attempt sends its own heartbeat each second, and returns once Temporal %s',
  async (_what, answer) => {
    let respond: () => object = unavailable;
    const { taskTokens, seconds } = hold(() => respond());
    expect(await seconds(40)).toBe(false);
    expect(taskTokens).toEqual(Array<Buffer>(41).fill(Buffer.from('own')));
    respond = answer;
    expect(await seconds(1)).toBe(true);
    expect(taskTokens).toHaveLength(42);
  },
);

it('an attempt that waits warns once', async () => {
  const { warnings, seconds } = hold(unavailable);
  await seconds(10);
  expect(warnings).toEqual([expect.stringMatching(/^WARN: Temporal cannot take/)]);
});

it('an attempt whose first heartbeat Temporal takes does not warn', async () => {
  const { warnings, seconds } = hold(() => ({}));
  await seconds(10);
  expect(warnings).toEqual([]);
});

it('a cancellation does not end the wait: the token counts', async () => {
  const { env, seconds } = hold(unavailable);
  env.cancel('CANCELLED');
  expect(await seconds(30)).toBe(false);
});

it('the wait ends when the attempt times out, though somebody sets the clock meanwhile', async () => {
  const { seconds } = hold(unavailable);
  expect(await seconds(10)).toBe(false);
  jest.setSystemTime(Date.now() + 60 * MINUTE_MS);
  expect(await seconds(49)).toBe(false);
  expect(await seconds(2)).toBe(true);
});
