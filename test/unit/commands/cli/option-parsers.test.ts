import { duration, timeOrAge } from '../../../../src/commands/cli/option-parsers';

describe('--since', () => {
  it.each([
    ['90s', 90_000],
    ['5m', 300_000],
    ['1.5h', 5_400_000],
    ['2d', 172_800_000],
  ])('takes the age %s', (text, agoMs) => {
    const before = Date.now();
    const time = timeOrAge(text).getTime();
    expect(time).toBeGreaterThanOrEqual(before - agoMs);
    expect(time).toBeLessThanOrEqual(Date.now() - agoMs);
  });

  it.each(['2026-01-02T03:04:05Z', '2026-01-02T05:04:05+02:00'])('takes the time %s', (text) => {
    expect(timeOrAge(text).toISOString()).toBe('2026-01-02T03:04:05.000Z');
  });
});

it.each([
  ['30s', 30_000],
  ['10m', 600_000],
  ['2h', 7_200_000],
  ['0.001s', 1],
  // 2^31 - 1 ms, the longest that a timer of Node takes.
  ['2147483.647s', 2_147_483_647],
])('--timeout takes %s', (text, ms) => {
  expect(duration(text)).toBe(ms);
});

it.each<[option: string, text: string, parser: (text: string) => unknown]>([
  ['--timeout', '0s', duration],
  ['--timeout', '2147483.648s', duration],
  ['--since', '0s', timeOrAge],
])('%s does not take every value (%#)', (_option, text, parser) => {
  expect(() => parser(text)).toThrow('Write one such as');
});
