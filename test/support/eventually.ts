import { setTimeout as sleep } from 'node:timers/promises';

const POLL_MS = 20;

/**
 * Polls until the result is neither null, undefined nor false. The timeout is for what never happens, on the busiest
 * machine.
 *
 * @throws Error that says what was waited for.
 */
export async function eventually<T>(
  what: string,
  poll: () => Promise<T> | T,
  timeoutMs = 150_000,
): Promise<NonNullable<Exclude<T, false>>> {
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    const result = await poll();
    if (result) return result as NonNullable<Exclude<T, false>>;
    if (Date.now() > deadline) throw new Error(`waited ${timeoutMs} ms for: ${what}`);
    await sleep(POLL_MS);
  }
}
