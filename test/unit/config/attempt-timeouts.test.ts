import { addAttemptTimeouts } from '../../../src/config/attempt-timeouts';
import { SINKS, load } from './configuration';

it.each([
  ['60 s (the default)', '60 s', 60_000, 60_000],
  ['5 minutes', '5 minutes', 300_000, 300_000],
  ['3 s (the least)', '60 s', 3000, 60_000],
])(
  'with a heartbeat timeout of %s, a creation may outlast its four requests by %s',
  (_timeout, _margin, heartbeatTimeoutMs, marginMs) => {
    const config = load(`${SINKS}worker: {heartbeatTimeoutMs: ${heartbeatTimeoutMs}}`);
    const { attemptTimeoutMs } = addAttemptTimeouts(config).create;
    expect(attemptTimeoutMs).toBe(4 * config.atlas.requestTimeoutMs + marginMs);
  },
);
