import { CommandError } from '../../../../src/commands/cli/command-error';
import { describeFindings } from '../../../../src/commands/cli/describe-findings';
import { createOutput, type OutputLine } from '../../../../src/commands/cli/output';
import { createStop } from '../../../../src/commands/cli/stop';
import type { Finding } from '../../../../src/contract/schemas';
import { textStream } from '../../../support/run-command';
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

const linesOf = (findings: Finding[]) =>
  describeFindings(findings).map(({ word, after = '' }) => word + after);

it('findings with the same state and message share a line', () => {
  const keys = aFinding('sealing keys', 'ok', 'key first seals and opens tokens');
  expect(linesOf([...manyFindings(2, 'ok'), keys, ...manyFindings(1, 'ok')])).toEqual([
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
  expect(linesOf(manyFindings(60, state))).toEqual([`${state.padEnd(10)}${names}: alike`]);
});

it('warnings and errors come last', () => {
  const lines = linesOf([
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

describe('on a terminal, a command', () => {
  /** Prints on a terminal, or on a pipe. */
  function printed(isTTY: boolean, json: boolean, ...lines: OutputLine[]) {
    let text = '';
    const stream = Object.assign(
      textStream((chunk) => (text += chunk)),
      { isTTY },
    );
    const output = createOutput({ stdout: stream, stderr: stream }, json, createStop());
    for (const line of lines) output.print({ line }, line);
    output.error(new CommandError('no run failed'));
    return text.split('\n');
  }

  const paint = (code: number) => (text: string) => `\u001b[${code}m${text}\u001b[39m`;
  const [red, green, yellow] = [paint(31), paint(32), paint(33)];
  const NAME = 'live-migration-prep:';

  const LINES: OutputLine[] = [
    { before: '3h ago    ', word: 'undelivered', after: '  failed' },
    { before: '\u001b[8m at noon ', word: 'delivered' },
    { word: 'failed', after: '  \u001b[8m' },
    { word: 'running', after: '  delivered' },
    'error     of a run  \u001b[8m',
  ];
  const TEXTS = [
    '3h ago    undelivered  failed',
    String.raw`\u001b[8m at noon delivered`,
    String.raw`failed  \u001b[8m`,
    'running  delivered',
    String.raw`error     of a run  \u001b[8m`,
  ];

  it('colours the state of a line, no other text, and the name before an error', () => {
    expect(printed(true, false, ...LINES)).toEqual([
      `3h ago    ${yellow('undelivered')}  failed`,
      String.raw`\u001b[8m at noon ${green('delivered')}`,
      String.raw`${red('failed')}  \u001b[8m`,
      ...TEXTS.slice(3),
      `${red(NAME)} no run failed`,
      '',
    ]);
  });

  it('colours nothing in a pipe, and no JSON', () => {
    expect(printed(false, false, ...LINES)).toEqual([...TEXTS, `${NAME} no run failed`, '']);
    const line = { word: 'failed' };
    expect(printed(true, true, line)).toEqual([
      JSON.stringify({ line }),
      '{"error":"no run failed"}',
      `${red(NAME)} no run failed`,
      '',
    ]);
  });
});

it.each([
  ['a terminal', { isTTY: true, columns: 120 }, 120],
  ['a terminal that tells no width', { isTTY: true, columns: 0 }, 80],
  ['a pipe', {}, null],
])('lines for %s have its width', (_what, stream, columns) => {
  const stdout = Object.assign(
    textStream(() => undefined),
    stream,
  );
  expect(createOutput({ stdout, stderr: stdout }, false, createStop())).toMatchObject({ columns });
});

it('a command prints each note once', () => {
  const { output, printed } = contextWith({});
  output.note('a', null);
  output.note('a', 'b');
  expect(printed.join('')).toBe('note: a\nnote: b\n');
});
