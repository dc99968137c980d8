import { addAttemptTimeouts } from '../../../src/config/attempt-timeouts';
import { drainTimeMs } from '../../../src/worker/shutdown';
import { SINKS, load } from './configuration';

it.each([
  ['60 s (the default)', '60 s', 60_000, 60_000],
  ['5 minutes', '5 minutes', 300_000, 300_000],
  ['10 s (the least)', '60 s', 10_000, 60_000],
])(
  'with a heartbeat timeout of %s, a creation may outlast its four requests by %s, also in a drain',
  (_timeout, _margin, heartbeatTimeoutMs, marginMs) => {
    const config = load(`${SINKS}worker: {heartbeatTimeoutMs: ${heartbeatTimeoutMs}}`);
    const retries = addAttemptTimeouts(config);
    expect(retries.create.attemptTimeoutMs).toBe(4 * config.atlas.requestTimeoutMs + marginMs);
    expect(drainTimeMs(retries)).toBe(retries.create.attemptTimeoutMs);
  },
);
