import { parseRetryAfterMs } from '../../../src/shared/retry-after';

const NOW = new Date('2026-01-02T03:04:05Z');

describe('parseRetryAfterMs', () => {
  it.each([
    ['seconds', '120', 120_000],
    ['a fraction of a second', '1.5', 1500],
    ['the longest of two headers', '5, 10', 10_000],
    ['a date', 'Fri, 02 Jan 2026 03:05:05 GMT', 60_000],
    ['a date of asctime, which names no zone, as UTC', 'Fri Jan  2 03:05:05 2026', 60_000],
    ['a date without its zone as UTC', 'Fri, 02 Jan 2026 03:05:05', 60_000],
    ['a date with an offset', 'Fri, 02 Jan 2026 04:05:05 +0100', 60_000],
    ['a date of RFC 850', 'Friday, 02-Jan-26 03:05:05 GMT', 60_000],
    ['more than a day as a day', '86401', 86_400_000],
    ['more than a number holds as a day', '9'.repeat(400), 86_400_000],
    ['a date in the year 9999 as a day', 'Fri, 31 Dec 9999 23:59:59 GMT', 86_400_000],
    ['a date in the past as 0', 'Fri, 02 Jan 2026 03:03:05 GMT', 0],
  ])('reads %s', (_what, header, milliseconds) => {
    expect(parseRetryAfterMs(header, NOW)).toBe(milliseconds);
  });

  it.each([null, ' ', '-5', '5,', '5s', '2026-01-02T03:05:05Z', 'Fri, never'])(
    'reads no wait from %j',
    (header) => {
      expect(parseRetryAfterMs(header, NOW)).toBeUndefined();
    },
  );
});
