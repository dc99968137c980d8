/** Upper bound for `Retry-After`. */
const MAX_RETRY_AFTER_MS = 24 * 3_600_000;

/**
 * Reads `Retry-After`: whole seconds or an HTTP date (RFC 9110, 10.2.3).
 *
 * @returns milliseconds from `now`, from 0 to a day; undefined when the header is absent or is neither.
 */
export function parseRetryAfterMs(header: string | null, now: Date): number | undefined {
  const value = header?.trim();
  if (!value) return undefined;
  // Some servers send fractions, which the standard lacks. Several headers arrive joined; the longest wait counts.
  if (/^\d+(\.\d+)?(\s*,\s*\d+(\.\d+)?)*$/.test(value)) {
    const seconds = Math.max(...value.split(',').map(Number));
    return Math.min(Math.ceil(seconds * 1000), MAX_RETRY_AFTER_MS);
  }
  // Date.parse alone would read "-5" as a date.
  const date = /^(Mon|Tue|Wed|Thu|Fri|Sat|Sun)[a-z]*,? /.test(value) ? Date.parse(value) : NaN;
  return Number.isNaN(date) ? undefined : Math.min(Math.max(0, date - now.getTime()), MAX_RETRY_AFTER_MS);
}
