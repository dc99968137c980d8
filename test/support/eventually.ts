import { setTimeout as sleep } from 'node:timers/promises';

const MIN_PAUSE_MS = 20;
const MAX_PAUSE_MS = 250;

/**
 * Polls until the result is neither null, undefined nor false. It polls less often as time goes on,
 * since polls take most of a test's CPU time. The timeout exceeds what the busiest machine needs.
 *
 * @throws Error that says what was waited for.
 */
export async function eventually<T>(
  what: string,
  poll: () => Promise<T> | T,
  timeoutMs = 600_000,
): Promise<NonNullable<Exclude<T, false>>> {
  const start = Date.now();
  for (;;) {
    const result = await poll();
    if (result) return result as NonNullable<Exclude<T, false>>;
    const waitedMs = Date.now() - start;
    if (waitedMs > timeoutMs) throw new Error(`waited ${timeoutMs} ms for: ${what}`);
    await sleep(Math.min(Math.max(waitedMs / 10, MIN_PAUSE_MS), MAX_PAUSE_MS));
  }
}
