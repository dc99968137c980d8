import { duration, timeOrAge } from '../../../../src/commands/cli/option-parsers';

it('--since takes an age or a time', () => {
  jest.useFakeTimers({ now: new Date('2026-01-04T03:00:00Z') });
  const times = ['1.5h', '2d', '2026-01-02T05:00:00+02:00', '2026-01-02'].map(timeOrAge);
  jest.useRealTimers();
  expect(times.map((time) => time.toISOString())).toEqual([
    '2026-01-04T01:30:00.000Z',
    '2026-01-02T03:00:00.000Z',
    '2026-01-02T03:00:00.000Z',
    '2026-01-02T00:00:00.000Z',
  ]);
});

it('--timeout takes durations up to the longest timer of Node', () => {
  expect(['30s', '10m', '2147483.647s'].map(duration)).toEqual([30_000, 600_000, 2_147_483_647]);
});

it.each([
  ['duration', '0s', duration],
  ['duration', '2147483.648s', duration],
  ['time', '0s', timeOrAge],
  ['time', '2026-11-25T09:00:00', timeOrAge],
])('a %s is not %s', (what, text, parser) => {
  expect(() => parser(text)).toThrow(`Write a ${what} such as`);
});
