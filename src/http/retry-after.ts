/**
 * Reads `Retry-After`: whole seconds or an HTTP date (RFC 9110, 10.2.3).
 *
 * @returns milliseconds from `now`, at least 0; undefined when the header is absent or is neither.
 */
export function parseRetryAfterMs(header: string | null, now: Date): number | undefined {
  const value = header?.trim();
  if (!value) return undefined;
  if (/^\d+$/.test(value)) return Number(value) * 1000;
  // Date.parse alone would read "-5" or "1.5" as a date.
  const date = /^(Mon|Tue|Wed|Thu|Fri|Sat|Sun)[a-z]*,? /.test(value) ? Date.parse(value) : NaN;
  return Number.isNaN(date) ? undefined : Math.max(0, date - now.getTime());
}
