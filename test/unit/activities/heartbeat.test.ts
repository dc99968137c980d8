import { withHeartbeats } from '../../../src/activities/heartbeat';
import { attemptIn } from './attempt';

afterEach(() => jest.useRealTimers());

it.each([
  [3000, 9],
  [1, 90],
  [60_000, 3],
  [undefined, 3],
])('with a heartbeat timeout of %p ms, 9 s of work send %d heartbeats', async (heartbeatTimeoutMs, count) => {
  jest.useFakeTimers();
  const attempt = attemptIn({ heartbeatTimeoutMs } as object);
  let sent = 0;
  attempt.on('heartbeat', () => (sent += 1));
  await attempt.run(() => withHeartbeats(() => jest.advanceTimersByTimeAsync(9000)));
  expect(sent).toBe(count);
  await jest.advanceTimersByTimeAsync(9000);
  expect(sent).toBe(count);
});
