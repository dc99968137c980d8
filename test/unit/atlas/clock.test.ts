import { compareClocks, describeWrongClock } from '../../../src/atlas/clock';

const [SENT_MS, RECEIVED_MS] = [100_300, 102_700];

it.each([
  ['the second in which the request was sent', 100_000, 0],
  ['the second in which the response arrived', 102_000, 0],
  ['a second before', 99_000, 300],
  ['the second after', 103_000, -300],
  ['ten minutes before', -500_000, 599_300],
  ['ten minutes after', 702_700, -600_000],
])('a server whose time is %s', (_when, dateMs, offsetMs) => {
  expect(compareClocks(dateMs, SENT_MS, RECEIVED_MS)).toBe(offsetMs);
});

it.each<[offsetMs: number, problem: RegExp | null]>([
  [0, null],
  [5000, null],
  [-5000, null],
  [5001, /^the clock of the worker's host is 5 s ahead of the clock of Atlas: correct it/],
  [-600_000, /^the clock of the worker's host is 600 s behind the clock of Atlas: correct it/],
])(
  'a clock that is %d ms ahead is described, if that is more than five seconds either way',
  (offsetMs, problem) => {
    const description = describeWrongClock(offsetMs);
    if (problem) expect(description).toMatch(problem);
    else expect(description).toBeNull();
  },
);
