import { forEachClaim } from '../../../src/contract/claims';
import { workflowIdFor } from '../../../src/contract/workflow-id';
import { validateFields } from '../../../src/requests/validate-fields';
import { UNREADABLE } from '../../../src/shared/payload-converter';
import { LEFT_OUT, ORG, SOURCE_ORG, aRequest } from '../samples';

const check = (change: object) => validateFields(aRequest(change));
const problemsOf = (input: unknown) =>
  Object.fromEntries(
    validateFields(input).problems.map(({ field, description }) => [field, description]),
  );
const wideBlocks = (count: number) =>
  Array.from({ length: count }, (_, i) => `2600:${(2 * i).toString(16)}::/31`);

describe('validateFields', () => {
  // Sources in Cloud Manager skip the access list.
  const all = {
    sourceOrgId: SOURCE_ORG,
    ...forEachClaim((claim) => `a ${claim}`),
    accessListIps: [],
  };

  it.each([
    ['without the optional fields', {}],
    ['with null in the optional fields', LEFT_OUT],
    ['with every field', all],
  ])('takes a request %s', (_what, fields) => {
    const request = { ...aRequest({ ...LEFT_OUT, ...fields }), warnings: [] };
    expect(check(fields)).toEqual({ request, problems: [] });
  });

  it('takes equal addresses as one, with a warning', () => {
    const twice = ['2001:4:112:0::1', '192.31.196.7/32', '17.2.0.0/15', '17.2.0.0/15'];
    const { request } = check({ accessListIps: ['2001:0004:0112::1', '192.31.196.7', ...twice] });
    expect(request?.accessListIps).toEqual(['2001:4:112::1', '192.31.196.7', '17.2.0.0/15']);
    expect(request?.warnings).toEqual([
      'accessListIps[2] "2001:4:112:0::1" (and 2 more) is a duplicate: it is sent once',
      expect.stringMatching(/^accessListIps\[4\] "17\.2\.0\.0\/15" is a wide block/),
    ]);
  });

  it('takes 1,000 entries with one warning for all of them, and refuses 1,001', () => {
    const { request } = check({ accessListIps: wideBlocks(1000) });
    expect(request?.accessListIps).toHaveLength(1000);
    expect(request?.warnings).toEqual([
      expect.stringContaining('"2600:0::/31" (and 999 more) is a wide block'),
    ]);
    const accessListIps = Array<string>(1001).fill('not an address, and not checked');
    expect(problemsOf(aRequest({ accessListIps }))).toEqual({
      accessListIps: 'has more than 1000 entries: write whole networks as CIDR blocks instead',
    });
  });

  it('refuses a payload that could not be read, and says what a caller must send', () => {
    expect(problemsOf(UNREADABLE)).toEqual({
      request: expect.stringMatching(
        /^is a payload that is not plain JSON .*: send plain JSON, without an encryption codec$/,
      ),
    });
  });

  it('returns no request if its only problem is an entry of its access list', () => {
    const problems = [
      { field: 'accessListIps[0]', description: expect.stringContaining('host bits set') },
    ];
    expect(check({ accessListIps: ['192.31.196.7/24'] })).toEqual({ request: null, problems });
  });

  it('names every problem at once, each with its index and its value', () => {
    const malformedId = expect.stringContaining('24 lower-case hexadecimal digits');
    const request = {
      orgId: ORG.toUpperCase(),
      accessListIps: ['192.31.196.7', '192.31.196.7/24', 5],
      sink: '',
      sourceOrgId: 'short',
      requestedBy: 'x'.repeat(201),
      changeReference: 7,
      again: false,
      sinks: 'drop',
      url: 'https://example.com',
    };
    expect(problemsOf(request)).toEqual({
      orgId: malformedId,
      'accessListIps[1]':
        '"192.31.196.7/24" has host bits set: write 192.31.196.7 for this address alone, or 192.31.196.0/24 for the whole block',
      'accessListIps[2]': 'is not a string: write an address or a CIDR block',
      sink: 'is empty: name a configured sink',
      sourceOrgId: malformedId,
      requestedBy: 'is longer than 200 characters: shorten it',
      changeReference: 'is not a string',
      again: expect.stringContaining('true'),
      'sinks, url': 'is not a field of a request: remove it',
    });
  });

  it.each([false, 'x', ORG, {}])(
    'refuses %j for again, and says what permits another token',
    (again) => {
      expect(problemsOf({ ...aRequest(), again })).toEqual({
        again: expect.stringMatching(/^is neither true nor the id of a run: write true, or /),
      });
    },
  );

  it('refuses the Atlas organization as its own source, beside other problems', () => {
    const sourceOrgId =
      'is the Atlas organization itself:' +
      ' name the Cloud Manager organization that will use the token, or leave it out';
    expect(problemsOf(aRequest({ sourceOrgId: ORG }))).toEqual({ sourceOrgId });
    expect(Object.keys(problemsOf(aRequest({ sourceOrgId: ORG, sink: '' })))).toEqual([
      'sink',
      'sourceOrgId',
    ]);
    expect(Object.keys(problemsOf(aRequest({ orgId: 'x', sourceOrgId: 'x' })))).toEqual([
      'orgId',
      'sourceOrgId',
    ]);
  });

  it('names every field that is missing, and refuses what is not an object', () => {
    expect(problemsOf({})).toEqual({
      orgId: 'is missing or not a string: write 24 lower-case hexadecimal digits',
      accessListIps: 'is missing or not a list: write [] for a source in Cloud Manager',
      sink: 'is missing or not a string: name a configured sink',
    });
    const request = 'is not an object: write orgId, accessListIps and sink';
    for (const input of [null, []]) expect(problemsOf(input)).toEqual({ request });
  });

  it.each([ORG.slice(1), `${ORG}0`, `${ORG.slice(1)}g`, `${ORG}\n`, `${ORG.slice(4)}/../`])(
    'refuses an organization id that is %j',
    (id) => expect(Object.keys(problemsOf(aRequest({ orgId: id })))).toEqual(['orgId']),
  );
});

it('the workflow id names the pair of organizations', () => {
  expect(workflowIdFor({ orgId: ORG, sourceOrgId: null })).toBe(`live-migration-prep/${ORG}`);
  expect(workflowIdFor({ orgId: ORG, sourceOrgId: SOURCE_ORG })).toBe(
    `live-migration-prep/${ORG}/${SOURCE_ORG}`,
  );
});

it('an empty sourceOrgId has no workflow id', () => {
  expect(() => workflowIdFor({ orgId: ORG, sourceOrgId: '' })).toThrow(
    'sourceOrgId is empty: leave it out or pass null',
  );
});
