import { Readable } from 'node:stream';
import { readLines } from '../../../../src/commands/cli/read-lines';
import { temporaryFiles } from '../../temporary-folder';

const { write } = temporaryFiles();

it.each<[what: string, text: string, lines: string[]]>([
  ['with their numbers, without blank ones', 'a\n\n  b  \n', ['1 a', '3 b']],
  ['with the last, which has no line break', 'a\nb', ['1 a', '2 b']],
  ['that end as on Windows', 'a\r\nb\r\n', ['1 a', '2 b']],
  ['whole, even with a line separator of Unicode', '"a\u2028b"\n', ['1 "a\u2028b"']],
  ['of an empty file, which has none', '', []],
])('readLines reads lines %s', async (_what, text, expected) => {
  const lines = await readLines('--from', write('lines', text), undefined);
  expect(lines.map((line) => `${line.line} ${line.text}`)).toEqual(expected);
});

it('readLines joins the parts of standard input, even within a character', async () => {
  const bytes = Buffer.from('ä1\nö2');
  const stdin = Readable.from([bytes.subarray(0, 1), bytes.subarray(1, 6), bytes.subarray(6)]);
  const lines = await readLines('--from', '-', stdin);
  expect(lines.map(({ text }) => text)).toEqual(['ä1', 'ö2']);
});
