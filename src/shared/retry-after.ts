/** A `Retry-After` counts for a day at most. */
export const MAX_REQUESTED_WAIT_MS = 24 * 3_600_000;

/**
 * Reads seconds or a date (RFC 9110, 10.2.3); undefined when the header is absent, is neither, or
 * is a date in the past.
 */
export function parseRetryAfterMs(header: string | null, now: Date): number | undefined {
  const value = header ?? '';
  const isSeconds = /^\d+$/.test(value);
  const waitMs = isSeconds ? Number(value) * 1000 : Date.parse(value) - now.getTime();
  return waitMs >= 0 ? Math.min(waitMs, MAX_REQUESTED_WAIT_MS) : undefined;
}
