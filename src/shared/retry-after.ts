/** A `Retry-After` counts for a day at most. */
export const MAX_REQUESTED_WAIT_MS = 24 * 3_600_000;

/**
 * Reads seconds or an HTTP date (RFC 9110, 10.2.3); undefined when the header is absent or is
 * neither.
 */
export function parseRetryAfterMs(header: string | null, now: Date): number | undefined {
  const value = header?.trim();
  if (!value) return undefined;
  // Some servers send fractions. Several headers arrive joined: the longest wait counts.
  if (/^\d+(\.\d+)?(\s*,\s*\d+(\.\d+)?)*$/.test(value)) {
    const seconds = Math.max(...value.split(',').map(Number));
    return Math.min(Math.ceil(seconds * 1000), MAX_REQUESTED_WAIT_MS);
  }
  const date = parseHttpDate(value);
  return Number.isNaN(date)
    ? undefined
    : Math.min(Math.max(0, date - now.getTime()), MAX_REQUESTED_WAIT_MS);
}

/** @returns NaN unless it is a date in a form of HTTP, which is UTC even if it does not say so. */
export function parseHttpDate(value: string): number {
  // Date.parse alone would read "-5" as a date, and one without a zone in that of this machine.
  if (!/^(Mon|Tue|Wed|Thu|Fri|Sat|Sun)[a-z]*,? /.test(value)) return NaN;
  return Date.parse(/([A-Z]| [+-]\d{4})$/.test(value) ? value : `${value} GMT`);
}
