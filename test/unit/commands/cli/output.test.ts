import { describeFindings } from '../../../../src/commands/cli/describe-findings';
import type { Finding } from '../../../../src/contract/schemas';
import { contextWith } from '../runs/context';

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
  ['the first three', 'ok', `${namesUpTo(3)} and 57 more checks`],
  ['the first three', 'unchecked', `${namesUpTo(3)} and 57 more checks`],
  ['the first ten', 'warning', `${namesUpTo(10)}, and 50 more`],
  ['the first ten', 'error', `${namesUpTo(10)}, and 50 more`],
])('a line names %s of 60 checks with the state %s', (_count, state, names) => {
  expect(describeFindings(manyFindings(60, state))).toEqual([`${state.padEnd(10)}${names}: alike`]);
});

it('warnings and errors come last', () => {
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

it('what others chose of a line is escaped, also in JSON', () => {
  const text = '\u001b[8m \u202e';
  const [lines, json] = [contextWith({}), contextWith({}, { json: true })];
  lines.output.print({ text }, text);
  json.output.print({ text }, text);
  expect(lines.printed).toEqual([String.raw`\u001b[8m \u202e` + '\n']);
  expect(json.printed).toEqual([String.raw`{"text":"\u001b[8m \u202e"}` + '\n']);
});

it('a command prints each note once', () => {
  const { output, printed } = contextWith({});
  output.note('a', null);
  output.note('a', 'b');
  expect(printed.join('')).toBe('note: a\nnote: b\n');
});
