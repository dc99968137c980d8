import fc from 'fast-check';
import type { PrepareRequest } from '../../../src/contract/schemas';
import { differingFields } from '../../../src/shared/compare-requests';

const REQUEST = {
  orgId: '64f1c0ffee5eed0000000a71',
  sourceOrgId: '64f1c0ffee5eed0000005c01',
  accessListIps: ['192.31.196.7', '192.31.196.0/24'],
  sink: 'drop',
} satisfies PrepareRequest;

const nested = (depth: number) => JSON.parse('['.repeat(depth) + ']'.repeat(depth)) as unknown;

it.each<[what: string, change: object]>([
  ['when nothing differs', {}],
  ['the requester and the reason', { requestedBy: 'Ada', changeReference: 'CHG-1' }],
])('two requests are the same %s', (_what, change) => {
  expect(differingFields(REQUEST, { ...REQUEST, ...change })).toEqual([]);
});

it.each<[change: object, fields: string[]]>([
  [{ orgId: '64f1c0ffee5eed0000000b72' }, ['orgId']],
  [{ sourceOrgId: null }, ['sourceOrgId']],
  [{ sink: 'vault' }, ['sink']],
  [{ accessListIps: ['192.31.196.7/32', '192.31.196.0/24'] }, ['accessListIps']],
  [{ orgId: 'number', sink: 5, accessListIps: 'x' }, ['orgId', 'sink', 'accessListIps']],
])('two requests differ (%#)', (change, fields) => {
  const other = { ...REQUEST, ...change };
  expect(differingFields(REQUEST, other)).toEqual(fields);
  expect(differingFields(other, REQUEST)).toEqual(fields);
});

it('a source that is left out is the same as null', () => {
  const { sourceOrgId: _, ...without } = REQUEST;
  expect(differingFields(without, { ...without, sourceOrgId: null })).toEqual([]);
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

describe('for any input', () => {
  it('a request is the same as itself, and no input throws', () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.jsonValue(), (left, right) => {
        expect(differingFields(left, structuredClone(left))).toEqual([]);
        expect(differingFields(left, right)).toEqual(differingFields(right, left));
      }),
    );
  });

  it.each([
    ['undefined', undefined],
    ['a field nested too deep to be written as JSON', { ...REQUEST, sink: nested(100_000) }],
    ['an entry nested too deep to be written as JSON', { ...REQUEST, accessListIps: [nested(100_000)] }],
  ])('%s differs from a valid request', (_what, input) => {
    expect(differingFields(REQUEST, input)).not.toEqual([]);
  });
});
