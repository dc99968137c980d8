import { addAttemptTimeouts } from '../../../src/config/attempt-timeouts';
import { SINKS, load } from './configuration';

it.each([
  ['60 s, the default,', 60_000, 60_000],
  ['five minutes', 300_000, 300_000],
  ['3 s, the least,', 3000, 10_000],
])(
  'with a heartbeat timeout of %s, an attempt to create outlasts its four requests by that time, and by 10 s',
  (_what, heartbeatTimeoutMs, marginMs) => {
    const config = load(`${SINKS}worker: {heartbeatTimeoutMs: ${heartbeatTimeoutMs}}`);
    const { attemptTimeoutMs } = addAttemptTimeouts(config).create;
    expect(attemptTimeoutMs).toBe(4 * config.atlas.requestTimeoutMs + marginMs);
  },
);
