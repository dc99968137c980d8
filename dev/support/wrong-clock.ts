import path from 'node:path';

const WRONG_CLOCK = path.join(__dirname, 'wrong-clock-preload.cjs');

/** Returns the environment of a process whose clock is wrong by this much. */
export function wrongClock(offsetMs: number): Record<string, string> {
  return { NODE_OPTIONS: `--require "${WRONG_CLOCK}"`, CLOCK_OFFSET_MS: String(offsetMs) };
}
