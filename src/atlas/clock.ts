/** Below this, the times of tokens and of API keys in Atlas can still be compared. */
const TOLERANCE_MS = 5000;

/** Duration that one value of the header `Date` stands for. */
const DATE_RESOLUTION_MS = 1000;

/**
 * Compares this machine's clock with that of a server, by the `Date` header of a response.
 *
 * @param sentAtMs when the request was sent, and `receivedAtMs` when its response had arrived, by
 *   this machine's clock.
 * @returns milliseconds by which this machine's clock is ahead at least, negative if it is behind;
 *   0 if the server's time lies between sending and receiving.
 */
export function compareClocks(dateMs: number, sentAtMs: number, receivedAtMs: number): number {
  const aheadMs = sentAtMs - (dateMs + DATE_RESOLUTION_MS);
  const behindMs = dateMs - receivedAtMs;
  if (aheadMs > 0) return aheadMs;
  return behindMs > 0 ? -behindMs : 0;
}

/**
 * Describes a clock that is wrong by more than five seconds; null for one that is right.
 *
 * @param offsetMs as `compareClocks` returns it.
 */
export function describeWrongClock(offsetMs: number): string | null {
  if (Math.abs(offsetMs) <= TOLERANCE_MS) return null;
  const seconds = Math.round(Math.abs(offsetMs) / 1000);
  const direction = offsetMs > 0 ? 'ahead of' : 'behind';
  return (
    `the clock of the worker's host is ${seconds} s ${direction} the clock of Atlas:` +
    ' correct it, such as by NTP;' +
    ' until then the times of tokens are wrong by as much'
  );
}
