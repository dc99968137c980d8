import { execFileSync } from 'node:child_process';
import { escapeControls, shellQuote } from '../../../src/shared/text';

it.each(['plain/path:1,2@a%b+c=d', 'prod eu', "it's", '$(echo x)', '`id`', '"', '', '*'])(
  'a shell reads back the word %j',
  (text) => {
    expect(execFileSync('sh', ['-c', `printf %s ${shellQuote(text)}`], { encoding: 'utf8' })).toBe(
      text,
    );
  },
);

it('control characters, line separators and what nobody sees are shown as escapes', () => {
  const printed =
    String.raw`\u001b[2J \u009b \u061c \u200f \u2028 \u2029 \u202e \u2066` +
    String.raw` \ufeff \u00ad \u180e \u3164 \ufff9 \udb40\udc41`;
  expect(escapeControls(JSON.parse(`"${printed}"`) as string)).toBe(printed);
});
