import { readMemo } from '../../../src/contract/memo';

const NOTHING = { step: null, sink: null, deliveryId: null, tokenSha256: null, unconfirmedTokens: 0 };
const FOREIGN = { step: 7, sink: {}, deliveryId: 'x', tokenSha256: true, unconfirmedTokens: -1, other: 1 };

it.each([
  ['a missing memo', undefined],
  ['an empty memo', {}],
  ['a malformed memo', FOREIGN],
])('%s counts as a memo without facts', (_what, memo) => {
  expect(readMemo(memo)).toEqual(NOTHING);
});

it('the memo of an undelivered run is read', () => {
  const deliveryId = '0b3ff6a0-95cc-4c2a-a4c1-8a2a5b2b1a52';
  const memo = { step: 'undelivered', sink: 'drop', deliveryId, tokenSha256: 'b', unconfirmedTokens: 2 };
  expect(readMemo(memo)).toEqual(memo);
});
