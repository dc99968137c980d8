import { withHeartbeats } from '../../../src/activities/heartbeat';
import { attemptIn } from './attempt';

afterEach(() => jest.useRealTimers());

it('sends a heartbeat every three seconds of work, and none after it', async () => {
  jest.useFakeTimers();
  const attempt = attemptIn({});
  let heartbeats = 0;
  attempt.on('heartbeat', () => (heartbeats += 1));
  await attempt.run(() => withHeartbeats(() => jest.advanceTimersByTimeAsync(9000)));
  expect(heartbeats).toBe(3);
  await jest.advanceTimersByTimeAsync(9000);
  expect(heartbeats).toBe(3);
});
