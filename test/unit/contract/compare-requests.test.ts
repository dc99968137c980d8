import fc from 'fast-check';
import { forEachClaim } from '../../../src/contract/claims';
import { differingFields } from '../../../src/contract/compare-requests';
import { OTHER_ORG, SOURCE_ORG, aRequest } from '../samples';

const REQUEST = aRequest({
  sourceOrgId: SOURCE_ORG,
  accessListIps: ['192.31.196.7', '192.31.196.0/24'],
});
const unread = Object.defineProperty(Array(1001).fill('a'), 1000, {
  get: () => expect('the list').toBe('compared by its type only'),
});
const tooDeepForJson = JSON.parse('['.repeat(100_000) + ']'.repeat(100_000)) as unknown;

const OTHER_PAIR = { orgId: OTHER_ORG, sourceOrgId: null };
const TOO_DEEP = { sink: tooDeepForJson, accessListIps: [tooDeepForJson] };

it.each<[what: string, fields: string, change: object, request?: object]>([
  ['other claims', 'no field', forEachClaim((claim) => `a ${claim}`)],
  ['other organizations', 'orgId and sourceOrgId', OTHER_PAIR],
  [
    'two addresses in one entry',
    'accessListIps',
    { accessListIps: ['192.31.196.0/24,192.31.196.7'] },
  ],
  ['values nested too deep for JSON', 'sink and accessListIps', TOO_DEEP],
  ['a list that is too long', 'accessListIps', { accessListIps: unread }],
  [
    'values of other types',
    'orgId and sink and accessListIps',
    { orgId: 'x', sink: 5, accessListIps: 'x' },
  ],
  ['another number', 'sink', { sink: 6 }, { ...REQUEST, sink: 5 }],
  ['another truth value', 'sink', { sink: true }, { ...REQUEST, sink: false }],
])('a request with %s differs in %s', (_what, fields, change, ...[request = REQUEST]) => {
  const other = { ...request, ...change };
  expect(differingFields(request, other).join(' and ') || 'no field').toBe(fields);
  expect(differingFields(other, request).join(' and ') || 'no field').toBe(fields);
});

it('access lists are compared as sets: order and repetition make no difference', () => {
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

it('any input can be compared, and is equal to itself', () => {
  expect(differingFields(REQUEST, undefined)).toHaveLength(4);
  expect(differingFields({ sourceOrgId: null }, {})).toEqual([]);
  fc.assert(
    fc.property(fc.jsonValue(), fc.jsonValue(), (left, right) => {
      expect(differingFields(left, structuredClone(left))).toEqual([]);
      expect(differingFields(left, right)).toEqual(differingFields(right, left));
    }),
  );
});
