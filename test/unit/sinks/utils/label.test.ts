import fc from 'fast-check';
import { labelOf } from '../../../../src/sinks/utils/label';
import { ANY_CHARACTER } from '../../../support/any-character';

it.each([
  ['jane.doe@example.com', 'jane.doe@example.com'],
  ['Zoë Müller', 'Zoe Muller'],
  ['CHG-1 (urgent), see #7?', 'CHG-1 _urgent__ see _7_'],
  ['a\nb\tc\u0000d\u001b[2J', 'a_b_c_d__2J'],
  ['a\u{1FAE9}b\ud800c', 'a_b_c'],
  ['漢字', '__'],
  ['aws:role', 'aws_role'],
  [' AWS:role ', 'aws_role'],
  ['  ', ''],
  ['', ''],
  [null, ''],
  ['x'.repeat(300), 'x'.repeat(200)],
])('%j becomes %j', (text, label) => {
  expect(labelOf(text)).toBe(label);
});

it('of any text is one that every store accepts', () => {
  fc.assert(
    fc.property(fc.string({ unit: ANY_CHARACTER, maxLength: 400 }), (text) => {
      // Fewer characters and a shorter text than a tag of AWS or custom metadata of Vault permits.
      expect(labelOf(text)).toMatch(/^(?!aws:)[A-Za-z0-9 _.:/=+@-]{0,200}$/i);
    }),
  );
});
