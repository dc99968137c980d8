import { withHeartbeats } from '../../../src/activities/heartbeat';
import { attemptIn } from './attempt';

afterEach(() => jest.useRealTimers());

it.each([
  ['a heartbeat timeout of 3 s', 9, 3000],
  ['a heartbeat timeout of 1 ms', 90, 1],
  ['a heartbeat timeout of a minute', 3, 60_000],
  ['no heartbeat timeout', 3, undefined],
])('with %s, 9 s of work send %d heartbeats', async (_timeout, count, heartbeatTimeoutMs) => {
  jest.useFakeTimers();
  const attempt = attemptIn({ heartbeatTimeoutMs } as object);
  let heartbeats = 0;
  attempt.on('heartbeat', () => (heartbeats += 1));
  await attempt.run(() => withHeartbeats(() => jest.advanceTimersByTimeAsync(9000)));
  expect(heartbeats).toBe(count);
  await jest.advanceTimersByTimeAsync(9000);
  expect(heartbeats).toBe(count);
});
