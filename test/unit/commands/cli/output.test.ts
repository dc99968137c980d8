import { describeFindings } from '../../../../src/commands/cli/describe-findings';
import type { Finding } from '../../../../src/contract/schemas';

const aFinding = (check: string, state: Finding['state'], message: string): Finding => ({
  check,
  state,
  message,
});

/** The names `check 1, check 2, …` up to a number. */
const namesUpTo = (last: number) =>
  Array.from({ length: last }, (_, index) => `check ${index + 1}`).join(', ');

const manyFindings = (count: number, state: Finding['state']) =>
  Array.from({ length: count }, (_, index) => aFinding(`check ${index + 1}`, state, 'alike'));

it('findings with the same state and message share a line', () => {
  const keys = aFinding('sealing keys', 'ok', 'key first seals and opens tokens');
  expect(describeFindings([...manyFindings(2, 'ok'), keys, ...manyFindings(1, 'ok')])).toEqual([
    'ok        check 1, check 2, check 1: alike',
    'ok        sealing keys: key first seals and opens tokens',
  ]);
});

it.each<[count: string, state: Finding['state'], names: string]>([
  ['the first ten', 'ok', `${namesUpTo(10)} and 50 more checks`],
  ['the first ten', 'unchecked', `${namesUpTo(10)} and 50 more checks`],
  ['all', 'warning', namesUpTo(60)],
  ['all', 'error', namesUpTo(60)],
])('a line names %s of 60 checks with the state %s', (_count, state, names) => {
  expect(describeFindings(manyFindings(60, state))).toEqual([`${state.padEnd(10)}${names}: alike`]);
});

it('warnings and errors come last, in full', () => {
  const lines = describeFindings([
    aFinding('a', 'error', 'x'),
    aFinding('b', 'warning', 'x'),
    aFinding('c', 'unchecked', 'x'),
    aFinding('d', 'error', 'y'),
    aFinding('e', 'ok', 'x'),
  ]);
  expect(lines).toEqual([
    'ok        e: x',
    'unchecked c: x',
    'warning   b: x',
    'error     a: x',
    'error     d: y',
  ]);
});
