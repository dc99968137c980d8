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

it('a line names the first ten of 60 checks', () => {
  expect(describeFindings(manyFindings(60, 'ok'))).toEqual([
    `ok        ${namesUpTo(10)}, and 50 more: alike`,
  ]);
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

describe('the progress of a command', () => {
  /** Shows progress beside a line of output, on standard error as described. */
  function written(stderrIs: object) {
    let text = '';
    const stdout = textStream((chunk) => (text += chunk));
    const stderr = Object.assign(
      textStream((chunk) => (text += chunk)),
      stderrIs,
    );
    const stop = createStop();
    const output = createOutput({ stdout, stderr }, false, stop);
    output.progress('1 of 300');
    output.progress('200 of 300 \u001b[8m');
    output.print({}, 'a result');
    stop.interrupt();
    output.progress('300 of 300');
    return text;
  }
  const CLEAR = '\r\u001b[K';

  it('is one line of a terminal, below the output, gone at the end, and cut to its width', () => {
    const live = String.raw`200 of 300 \u001b[8m`;
    expect(written({ isTTY: true, columns: 0 })).toBe(
      ['', '1 of 300', live, `a result\n${CLEAR}${live}`, ''].join(CLEAR),
    );
    expect(written({ isTTY: true, columns: 12 })).toContain(`${CLEAR}200 of 300…${CLEAR}`);
  });

  it('is a line of its own in a pipe, at most every ten seconds', () => {
    expect(written({})).toBe('1 of 300\na result\n');
  });
});
