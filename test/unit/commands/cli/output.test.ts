import { CommandError } from '../../../../src/commands/cli/command-error';
import { describeFindings } from '../../../../src/commands/cli/describe-findings';
import { createOutput } from '../../../../src/commands/cli/output';
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

describe('on a terminal, a command', () => {
  /** Prints on a terminal, or on a pipe. */
  function printed(isTTY: boolean, json: boolean, ...lines: string[]) {
    let text = '';
    const stream = Object.assign(
      textStream((chunk) => (text += chunk)),
      { isTTY },
    );
    const output = createOutput({ stdout: stream, stderr: stream }, json, createStop());
    for (const line of lines) output.print({ line }, line);
    output.error(new CommandError('no failed  run'));
    return text;
  }

  const [red, green, yellow] = [31, 32, 33].map(
    (code) => (text: string) => `\u001b[${code}m${text}\u001b[39m`,
  ) as [(text: string) => string, (text: string) => string, (text: string) => string];

  const LINES = [
    '2026-11-30T13:56:04.664Z  undelivered  a run',
    '2026-11-30T13:56:04.664Z delivered',
    '3h ago    failed       a run',
    '1/3  failed  a run: it failed  twice',
    'error     sink drop: \u001b[8m',
    'delivered to a sink, or in error',
  ];
  const ERROR = 'live-migration-prep: no failed  run';
  const escape = (text: string) => text.replace('\u001b', String.raw`\u001b`);

  it('colours the state in a line, and the name before an error', () => {
    expect(printed(true, false, ...LINES).split('\n')).toEqual([
      `2026-11-30T13:56:04.664Z  ${yellow('undelivered')}  a run`,
      `2026-11-30T13:56:04.664Z ${green('delivered')}`,
      `3h ago    ${red('failed')}       a run`,
      `1/3  ${red('failed')}  a run: it failed  twice`,
      `${red('error')}     sink drop: ${String.raw`\u001b`}[8m`,
      'delivered to a sink, or in error',
      `${red('live-migration-prep:')} no failed  run`,
      '',
    ]);
  });

  it('colours nothing in a pipe, and no JSON', () => {
    expect(printed(false, false, ...LINES).split('\n')).toEqual([...LINES.map(escape), ERROR, '']);
    const line = 'a failed  run';
    expect(printed(true, true, line)).toBe(
      `{"line":"${line}"}\n{"error":"no failed  run"}\n${ERROR.replace(/^\S+/, red)}\n`,
    );
  });
});

it('a command prints each note once', () => {
  const { output, printed } = contextWith({});
  output.note('a', null);
  output.note('a', 'b');
  expect(printed.join('')).toBe('note: a\nnote: b\n');
});
