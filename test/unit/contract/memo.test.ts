import { isUndelivered, readMemo } from '../../../src/contract/memo';

const NOTHING = { step: null, sink: null, deliveryId: null, tokenSha256: null, unconfirmedTokens: 0 };

it.each([
  ['no memo', undefined],
  ['an empty memo', {}],
  [
    'a foreign one',
    {
      step: 7,
      sink: {},
      deliveryId: 'a payload that is not plain JSON (json/plain)',
      tokenSha256: true,
      unconfirmedTokens: -1,
      other: 1,
    },
  ],
])('of %s nothing is read, and nothing is thrown', (_what, memo) => {
  expect(readMemo(memo)).toEqual(NOTHING);
  expect(isUndelivered(memo)).toBe(false);
});

it('of an undelivered run its memo is read', () => {
  const deliveryId = '0b3ff6a0-95cc-4c2a-a4c1-8a2a5b2b1a52';
  const memo = { step: 'undelivered', sink: 'drop', deliveryId, tokenSha256: 'b', unconfirmedTokens: 2 };
  expect(readMemo(memo)).toEqual(memo);
  expect(isUndelivered(memo)).toBe(true);
});
