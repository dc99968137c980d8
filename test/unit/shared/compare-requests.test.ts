import fc from 'fast-check';
import { differingFields } from '../../../src/shared/compare-requests';

const REQUEST = {
  orgId: '64f1c0ffee5eed0000000a71',
  sourceOrgId: '64f1c0ffee5eed0000005c01',
  accessListIps: ['192.31.196.7', '192.31.196.0/24'],
  sink: 'drop',
};
const unread = Object.defineProperty(Array(1001).fill('a'), 1000, {
  get: () => expect('the list').toBe('compared by its type only'),
});
const tooDeepForJson = JSON.parse('['.repeat(100_000) + ']'.repeat(100_000)) as unknown;

it.each<[change: object, fields: string[]]>([
  [{ requestedBy: 'Ada', changeReference: 'CHG-1' }, []],
  [{ orgId: '64f1c0ffee5eed0000000b72', sourceOrgId: null }, ['orgId', 'sourceOrgId']],
  [{ accessListIps: ['192.31.196.0/24,192.31.196.7'] }, ['accessListIps']],
  [{ sink: tooDeepForJson, accessListIps: [tooDeepForJson] }, ['sink', 'accessListIps']],
  [{ accessListIps: unread }, ['accessListIps']],
  [{ orgId: 'number', sink: 5, accessListIps: 'x' }, ['orgId', 'sink', 'accessListIps']],
])('two requests differ (%#) in what a token depends on', (change, fields) => {
  const other = { ...REQUEST, ...change };
  expect(differingFields(REQUEST, other)).toEqual(fields);
  expect(differingFields(other, REQUEST)).toEqual(fields);
});

it('requests differ in their entries exactly when the sets of these do', () => {
  const lists = fc.array(fc.constantFrom('a', 'b', 'c', '"', ',', '","', 'object', 'missing'));
  const other = (list: string[]) => fc.oneof(fc.shuffledSubarray([...list, ...list]), lists);
  const setOf = (entries: readonly string[]) => JSON.stringify([...new Set(entries)].sort());
  const pairs = lists.chain((left) => fc.tuple(fc.constant(left), other(left)));
  fc.assert(
    fc.property(pairs, ([left, right]) => {
      const differ = differingFields({ accessListIps: left }, { accessListIps: right }).length > 0;
      expect(differ).toBe(setOf(left) !== setOf(right));
    }),
  );
});

it('no input throws, and each is the same as itself', () => {
  expect(differingFields(REQUEST, undefined)).toHaveLength(4);
  expect(differingFields({ sourceOrgId: null }, {})).toEqual([]);
  fc.assert(
    fc.property(fc.jsonValue(), fc.jsonValue(), (left, right) => {
      expect(differingFields(left, structuredClone(left))).toEqual([]);
      expect(differingFields(left, right)).toEqual(differingFields(right, left));
    }),
  );
});
