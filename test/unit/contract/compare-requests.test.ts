import fc from 'fast-check';
import { differingFields } from '../../../src/contract/compare-requests';
import type { PrepareRequest } from '../../../src/contract/schemas';

const REQUEST = {
  orgId: '64f1c0ffee5eed0000000a71',
  sourceOrgId: '64f1c0ffee5eed0000005c01',
  accessListIps: ['192.31.196.7', '192.31.196.0/24'],
  sink: 'drop',
} satisfies PrepareRequest;

const nested = (depth: number) => JSON.parse('['.repeat(depth) + ']'.repeat(depth)) as unknown;

describe('two requests are the same', () => {
  it.each<[what: string, other: object]>([
    ['when nothing differs', {}],
    ['whoever asks, and why', { requestedBy: 'Ada', changeReference: 'CHG-1' }],
    ['with the entries in another order', { accessListIps: ['192.31.196.0/24', '192.31.196.7'] }],
    ['with an entry twice', { accessListIps: ['192.31.196.7', '192.31.196.0/24', '192.31.196.7'] }],
  ])('%s', (_what, change) => {
    expect(differingFields(REQUEST, { ...REQUEST, ...change })).toEqual([]);
  });

  it('without a source organization, be it null or left out', () => {
    const { sourceOrgId: _, ...without } = REQUEST;
    expect(differingFields(without, { ...without, sourceOrgId: null })).toEqual([]);
  });

  it('whatever the order and the duplicates of their entries', () => {
    const shuffled = fc.uniqueArray(fc.string(), { minLength: 1 }).chain((entries) =>
      fc.tuple(
        fc.constant(entries),
        fc
          .array(fc.constantFrom(...entries))
          .chain((more) =>
            fc.shuffledSubarray([...entries, ...more], { minLength: entries.length + more.length }),
          ),
      ),
    );
    fc.assert(
      fc.property(shuffled, ([entries, others]) => {
        const request = { ...REQUEST, accessListIps: entries };
        expect(differingFields(request, { ...REQUEST, accessListIps: others })).toEqual([]);
      }),
    );
  });
});

describe('two requests differ', () => {
  it.each<[what: string, change: object, fields: string[]]>([
    ['in the organization', { orgId: '64f1c0ffee5eed0000000b72' }, ['orgId']],
    ['in the source organization', { sourceOrgId: null }, ['sourceOrgId']],
    ['in the sink', { sink: 'vault' }, ['sink']],
    ['by an entry more', { accessListIps: [...REQUEST.accessListIps, '192.175.48.1'] }, ['accessListIps']],
    ['by an entry less', { accessListIps: ['192.31.196.7'] }, ['accessListIps']],
    [
      'by how an address is written',
      { accessListIps: ['192.31.196.7/32', '192.31.196.0/24'] },
      ['accessListIps'],
    ],
    ['by two entries in one', { accessListIps: ['192.31.196.7","192.31.196.0/24'] }, ['accessListIps']],
    [
      'by a kind where a text is',
      { orgId: 'number', sink: 5, accessListIps: 'x' },
      ['orgId', 'sink', 'accessListIps'],
    ],
  ])('%s', (_what, change, fields) => {
    const other = { ...REQUEST, ...change };
    expect(differingFields(REQUEST, other)).toEqual(fields);
    expect(differingFields(other, REQUEST)).toEqual(fields);
  });

  it('exactly when their sets of entries do', () => {
    const lists = fc.array(fc.constantFrom('a', 'b', 'c', '"', ',', '","', 'object', 'missing'));
    const setOf = (entries: readonly string[]) => JSON.stringify([...new Set(entries)].sort());
    fc.assert(
      fc.property(lists, lists, (left, right) => {
        const differ = differingFields({ accessListIps: left }, { accessListIps: right }).length > 0;
        expect(differ).toBe(setOf(left) !== setOf(right));
      }),
    );
  });
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
