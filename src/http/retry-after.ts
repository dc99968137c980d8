import { MAX_REQUESTED_WAIT_MS } from '../contract/limits';

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
  // Date.parse alone would read "-5" as a date.
  const date = /^(Mon|Tue|Wed|Thu|Fri|Sat|Sun)[a-z]*,? /.test(value) ? Date.parse(value) : NaN;
  return Number.isNaN(date)
    ? undefined
    : Math.min(Math.max(0, date - now.getTime()), MAX_REQUESTED_WAIT_MS);
}
