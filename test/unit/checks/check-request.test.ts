import { checkRequest, describeProblems } from '../../../src/checks/check-request';
import { workflowIdFor } from '../../../src/contract/names';
import { escapeControls } from '../../../src/shared/text';

const ORG = '64f1c0ffee5eed0000000a71';
const SOURCE_ORG = '64f1c0ffee5eed0000005c01';
const GOOD = { orgId: ORG, accessListIps: ['192.31.196.7'], sink: 'drop' };

function problemsOf(input: unknown): Record<string, string> {
  const { problems } = checkRequest(input);
  return Object.fromEntries(problems.map(({ field, description }) => [field, description]));
}

const fieldsOf = (change: object) => Object.keys(problemsOf({ ...GOOD, ...change }));

describe('checkRequest', () => {
  const LEFT_OUT = { sourceOrgId: null, requestedBy: null, changeReference: null };
  it.each([
    ['left out', {}],
    ['null', LEFT_OUT],
  ])('takes fields that are %s as null', (_what, given) => {
    const request = { ...GOOD, ...LEFT_OUT, warnings: [] };
    expect(checkRequest({ ...GOOD, ...given })).toEqual({ request, problems: [] });
  });

  it('keeps what is given, an empty access list too, since sources in Cloud Manager skip it', () => {
    const given = {
      sourceOrgId: SOURCE_ORG,
      requestedBy: 'Ada',
      changeReference: 'CHG-1',
      accessListIps: [],
    };
    expect(checkRequest({ ...GOOD, ...given }).request).toMatchObject(given);
  });

  it('sends the same address once, however it is written, and warns of it', () => {
    const twice = ['2001:4:112:0::1', '192.31.196.7/32', '10.0.0.1', '10.0.0.1'];
    const accessListIps = ['2001:0004:0112::1', '192.31.196.7', ...twice];
    const { request } = checkRequest({ ...GOOD, accessListIps });
    expect(request?.accessListIps).toEqual(['2001:4:112::1', '192.31.196.7', '10.0.0.1']);
    expect(request?.warnings).toEqual([
      'accessListIps[2] "2001:4:112:0::1" (and 2 more) is a duplicate: it is sent once',
      expect.stringMatching(/^accessListIps\[4\] "10\.0\.0\.1" is in a range \(private\)/),
    ]);
  });

  it('warns once of a thousand private addresses, since warnings are kept in the history', () => {
    const accessListIps = Array.from({ length: 1000 }, (_, i) => `10.0.${i >> 8}.${i & 255}`);
    expect(checkRequest({ ...GOOD, accessListIps }).request?.warnings).toEqual([
      expect.stringMatching(/^accessListIps\[0\] "10\.0\.0\.0" \(and 999 more\) is in a range \(private\)/),
    ]);
  });

  it('names every problem at once, each with its index and its value', () => {
    const malformedId = expect.stringContaining('24 lower-case hexadecimal digits');
    const problems = problemsOf({
      orgId: ORG.toUpperCase(),
      accessListIps: ['192.31.196.7', '10.1.2.3/24', 5, 'example.com', null],
      sink: '',
      sourceOrgId: 'short',
      requestedBy: 'x'.repeat(201),
      changeReference: 7,
      sinks: 'drop',
      url: 'https://example.com',
    });
    expect(problems).toEqual({
      orgId: malformedId,
      'accessListIps[1]': '"10.1.2.3/24" has host bits set: write 10.1.2.0/24',
      'accessListIps[2]': 'is not a string: write an address or a CIDR block',
      'accessListIps[3]': expect.stringMatching(/^"example\.com" is neither an address/),
      'accessListIps[4]': 'is not a string: write an address or a CIDR block',
      sink: 'is empty: name a configured sink',
      sourceOrgId: malformedId,
      requestedBy: 'is longer than 200 characters: shorten it',
      changeReference: 'is not a string',
      'sinks, url': 'is not a field of a request: remove it',
    });
  });

  it('names every field that is missing', () => {
    expect(problemsOf({})).toEqual({
      orgId: 'is missing or not a string: write 24 lower-case hexadecimal digits',
      accessListIps: 'is missing or not a list: write [] where the source skips the access list',
      sink: 'is missing or not a string: name a configured sink',
    });
  });

  it.each([null, undefined, 'a text', []])('refuses %j, which is no object', (input) => {
    const description = 'is not an object: write orgId, accessListIps and sink';
    expect(checkRequest(input)).toEqual({ request: null, problems: [{ field: 'request', description }] });
  });

  const [short, path] = [ORG.slice(1), `${ORG.slice(0, 20)}/../`];
  it.each([ORG.toUpperCase(), short, `${ORG}0`, `${short}g`, `${ORG}\n`, path, ''])(
    'refuses an organization id that is %j',
    (id) => expect(fieldsOf({ orgId: id, sourceOrgId: id })).toEqual(['orgId', 'sourceOrgId']),
  );

  it('takes 1,000 entries and refuses one more', () => {
    const entries = (count: number) => Array.from({ length: count }, (_, i) => `8.8.${i >> 8}.${i & 255}`);
    expect(checkRequest({ ...GOOD, accessListIps: entries(1000) }).request?.accessListIps).toHaveLength(1000);
    const { problems } = checkRequest({ ...GOOD, accessListIps: entries(1001) });
    expect(describeProblems(problems)).toBe(
      'accessListIps has more than 1000 entries: write whole networks as CIDR blocks instead',
    );
  });

  const manyNames = Object.fromEntries(Array.from({ length: 100_000 }, (_, i) => [`field${i}`, 1]));
  it.each<[what: string, change: object]>([
    ['an entry', { accessListIps: ['x'.repeat(100_000)] }],
    ['a name', { ['x'.repeat(100_000)]: 1 }],
    ['a hundred thousand names', manyNames],
    ['ten thousand entries', { accessListIps: Array(10_000).fill('not an address') }],
  ])('quotes no more of %s than a few lines', (_what, change) => {
    const { problems } = checkRequest({ ...GOOD, ...change });
    expect(problems).toHaveLength(1);
    expect(JSON.stringify(problems).length).toBeLessThan(400);
  });

  it.each<[what: string, change: object, escaped: string]>([
    ['an entry', { accessListIps: ['\u001b[2J'] }, '\\u001b[2J'],
    ['a C1 control of an entry', { accessListIps: ['\u009b2J'] }, '\\u009b2J'],
    ['a duplicate', { accessListIps: ['192.31.196.7', '\u202e192.31.196.7'] }, '\\u202e'],
    ['a name', { 'a\u001b[2J': 1 }, 'a\\u001b[2J'],
    ['a name that reads backwards', { '\u202eknis': 1 }, '\\u202eknis'],
  ])('escapes control characters of %s', (_what, change, escaped) => {
    const description = describeProblems(checkRequest({ ...GOOD, ...change }).problems);
    expect(description).toContain(escaped);
    expect(description).toBe(escapeControls(description));
  });
});

it('of many problems, ten are described and the others counted', () => {
  const problems = Array.from({ length: 12 }, (_, i) => ({ field: `f${i}`, description: 'is wrong' }));
  expect(describeProblems(problems)).toMatch(/^f0 is wrong; .*f9 is wrong; and 2 more$/);
  expect(describeProblems(problems.slice(0, 10))).toMatch(/f9 is wrong$/);
});

it.each([
  [undefined, `live-migration-prep/${ORG}`],
  [null, `live-migration-prep/${ORG}`],
  [SOURCE_ORG, `live-migration-prep/${ORG}/${SOURCE_ORG}`],
])('a run for the source organization %p has the id %s', (sourceOrgId, id) => {
  expect(workflowIdFor(ORG, sourceOrgId)).toBe(id);
});

it('an empty source organization is refused: its run would be that of the Atlas organization alone', () => {
  expect(() => workflowIdFor(ORG, '')).toThrow('sourceOrgId is empty: leave it out or pass null');
});
