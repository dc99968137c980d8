import { execFileSync } from 'node:child_process';
import { escapeControls, shellQuote } from '../../../src/shared/text';

it.each(['plain/path:1,2@a%b+c=d', 'prod eu', "it's", '$(echo x)', '`id`', '"', '', '*'])(
  'a shell reads back the word %j',
  (text) => {
    expect(execFileSync('sh', ['-c', `printf %s ${shellQuote(text)}`], { encoding: 'utf8' })).toBe(text);
  },
);

it.each([
  ['a control character', '\u001b[2J', String.raw`\u001b[2J`],
  ['a mark of right-to-left text', 'a\u061cb\u200fc', String.raw`a\u061cb\u200fc`],
  ['a line separator of Unicode', 'a\u2028b\u2029c', String.raw`a\u2028b\u2029c`],
  ['an override', '\u202eb\u2066c', String.raw`\u202eb\u2066c`],
])('shows %s as an escape', (_what, text, printed) => {
  expect(escapeControls(text)).toBe(printed);
});
