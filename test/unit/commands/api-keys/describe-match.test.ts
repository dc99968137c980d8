import { describeMatch } from '../../../../src/commands/api-keys/describe-match';
import { newKey, newToken } from './samples';

it.each([
  ['as that of a link-token is not shown', 'Atlas Migration Service Key - 0a1b2c3', ''],
  ['as something else is shown', 'billing', ', described as "billing"'],
  ['as nothing is shown', '', ', described as ""'],
  [
    'with controls is shown with these escaped',
    '\u001b[2J',
    String.raw`, described as "\u001b[2J"`,
  ],
])("a description of a known token's key %s", (_what, desc, shown) => {
  const token = newToken('abcdefgh', { state: 'abandoned', sinksTried: ['drop'] });
  const key = newKey('abcdefgh', 0, { desc });
  expect(describeMatch({ key, state: 'abandoned', token, why: null, attempts: [] })).toBe(
    `abandoned: token ${token.deliveryId} of ${token.createdAt}, look in sink drop${shown}`,
  );
});
