import { duration, timeOrAge } from '../../../../src/commands/cli/option-parsers';

it.each([
  ['1.5h', 5_400_000],
  ['2d', 172_800_000],
])('--since takes the age %s', (text, agoMs) => {
  const before = Date.now();
  const time = timeOrAge(text).getTime();
  expect(time).toBeGreaterThanOrEqual(before - agoMs);
  expect(time).toBeLessThanOrEqual(Date.now() - agoMs);
});

it('--since takes a time, and --timeout durations up to the longest timer of Node', () => {
  expect(timeOrAge('2026-01-02T05:04:05+02:00').toISOString()).toBe('2026-01-02T03:04:05.000Z');
  expect(duration('30s')).toBe(30_000);
  expect(duration('10m')).toBe(600_000);
  expect(duration('2147483.647s')).toBe(2_147_483_647);
});

it.each([
  ['--timeout', '0s', duration],
  ['--timeout', '2147483.648s', duration],
  ['--since', '0s', timeOrAge],
  ['--since', '2026-11-25T09:00:00', timeOrAge],
])('%s does not take %s', (_option, text, parser) => {
  expect(() => parser(text)).toThrow('Write one such as');
});
