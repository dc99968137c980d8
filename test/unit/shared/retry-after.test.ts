import { parseRetryAfterMs } from '../../../src/shared/retry-after';

const NOW = new Date('2026-01-02T03:04:05Z');

describe('parseRetryAfterMs', () => {
  it.each([
    ['seconds', '120', 120_000],
    ['a date', 'Fri, 02 Jan 2026 03:05:05 GMT', 60_000],
    ['a date with an offset', 'Fri, 02 Jan 2026 04:05:05 +0100', 60_000],
    ['more than a day as a day', '86401', 86_400_000],
    ['more than a number holds as a day', '9'.repeat(400), 86_400_000],
    ['a date in the year 9999 as a day', 'Fri, 31 Dec 9999 23:59:59 GMT', 86_400_000],
  ])('reads %s', (_what, header, milliseconds) => {
    expect(parseRetryAfterMs(header, NOW)).toBe(milliseconds);
  });

  it.each([null, '', '-5', '1.5', '5s', 'Fri, 02 Jan 2026 03:03:05 GMT', 'Fri, never'])(
    'reads no wait from %j',
    (header) => {
      expect(parseRetryAfterMs(header, NOW)).toBeUndefined();
    },
  );
});
