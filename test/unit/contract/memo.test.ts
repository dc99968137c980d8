import { isUndelivered, readMemo } from '../../../src/contract/memo';

const NOTHING = { step: null, sink: null, deliveryId: null, tokenSha256: null, unconfirmedTokens: 0 };

it.each([
  ['no memo', undefined],
  ['an empty memo', {}],
  [
    'a foreign one',
    { step: 7, sink: {}, deliveryId: [], tokenSha256: true, unconfirmedTokens: -1, other: 1 },
  ],
])('of %s nothing is read, and nothing is thrown', (_what, memo) => {
  expect(readMemo(memo)).toEqual(NOTHING);
  expect(isUndelivered(memo)).toBe(false);
});

it('of an undelivered run its memo is read', () => {
  const memo = { step: 'undelivered', sink: 'drop', deliveryId: 'a', tokenSha256: 'b', unconfirmedTokens: 2 };
  expect(readMemo(memo)).toEqual(memo);
  expect(isUndelivered(memo)).toBe(true);
});
