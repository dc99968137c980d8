import { inspect } from 'node:util';
import { readEnvironment } from '../../../src/config/environment';
import { API_KEY_ENV, CANARY, ENV, type Env } from './configuration';

const read = (env: Env) => readEnvironment({ ...ENV, ...env });

test('the credential of the environment is a service account, an API key or missing: the file can name one', () => {
  const account = read({}).values.credential;
  expect(account?.type === 'serviceAccount' && account.clientSecret.read()).toBe(`${CANARY}-secret`);
  const key = readEnvironment(API_KEY_ENV).values.credential;
  expect(key?.type === 'apiKey' && key.privateKey.read()).toBe(`${CANARY}-private`);
  expect(readEnvironment({})).toMatchObject({ values: { credential: null }, problems: [] });
});

describe('the version of a worker', () => {
  const [NAME, BUILD] = ['TEMPORAL_DEPLOYMENT_NAME', 'TEMPORAL_WORKER_BUILD_ID'];

  it.each([
    ['none, from empty variables', { [NAME]: '', [BUILD]: '' }, null],
    ['both variables', { [NAME]: 'lmp', [BUILD]: '1.0' }, { name: 'lmp', buildId: '1.0' }],
  ])('is %s', (_what, env, deployment) => {
    expect(read(env)).toMatchObject({ values: { deployment }, problems: [] });
  });

  it.each([
    [NAME, BUILD],
    [BUILD, NAME],
  ])('is not half of it: %s without %s', (set, unset) => {
    expect(read({ [set]: 'x' }).problems).toEqual([
      `environment variable ${set} is set and ${unset} is not: set both for a versioned worker, or neither`,
    ]);
  });
});

describe('the base URL of Atlas', () => {
  it.each([
    ['https://cloud.mongodb.com', 'https://cloud.mongodb.com'],
    ['https://cloud.mongodb.com/', 'https://cloud.mongodb.com'],
    ['https://Atlas.Example.com:8443', 'https://atlas.example.com:8443'],
    ['http://127.0.0.1:4400', 'http://127.0.0.1:4400'],
    ['http://[::1]:4400', 'http://[::1]:4400'],
    ['http://localhost:4400', 'http://localhost:4400'],
  ])('may be %s', (url, baseUrl) => {
    const found = read({ MONGODB_ATLAS_BASE_URL: url });
    expect(found).toMatchObject({ values: { baseUrl }, problems: [], warnings: [] });
  });

  it.each(['http://atlas.example.com', 'http://127.evil.example', 'http://127.0.0.1.evil.example'])(
    '%s is a warning: secrets would cross the network unencrypted',
    (url) => {
      expect(read({ MONGODB_ATLAS_BASE_URL: url })).toMatchObject({
        problems: [],
        warnings: ['MONGODB_ATLAS_BASE_URL is http: credentials and tokens cross the network unencrypted'],
      });
    },
  );

  it.each([
    'cloud.mongodb.com',
    'ftp://cloud.mongodb.com',
    'https://cloud.mongodb.com/api/atlas/v2',
    `https://user:${CANARY}@cloud.mongodb.com`,
  ])('may not be %s', (url) => {
    expect(read({ MONGODB_ATLAS_BASE_URL: url }).problems).toEqual([
      'environment variable MONGODB_ATLAS_BASE_URL is not the address of a server, such as https://cloud.mongodb.com',
    ]);
  });
});

describe('the environment', () => {
  it('counts empty variables as unset', () => {
    const empty = { MONGODB_ATLAS_BASE_URL: '', MONGODB_ATLAS_PUBLIC_API_KEY: '' };
    expect(read(empty)).toMatchObject({ values: { baseUrl: 'https://cloud.mongodb.com' }, problems: [] });
    expect(readEnvironment({ LIVE_MIGRATION_PREP_SEALING_KEYS: '' }).values.sealingKeys).toBeNull();
  });

  const [ID, SECRET] = ['MONGODB_ATLAS_CLIENT_ID', 'MONGODB_ATLAS_CLIENT_SECRET'];
  const SEALING_KEYS = 'LIVE_MIGRATION_PREP_SEALING_KEYS';
  const MALFORMED = 'is not a credential: it contains white space or characters outside ASCII';
  const KEYS_UNUSABLE =
    'cannot be used: .*not JSON; make the keys with: live-migration-prep keys --file \\S+';

  it.each([
    ['a service account without its secret', SECRET, undefined, 'is not set or empty: set it'],
    ['a service account without its id', ID, '', 'is not set or empty: set it'],
    ['a secret with white space', SECRET, `${CANARY} `, MALFORMED],
    ['a secret with a line end', SECRET, `${CANARY}\r\nX-Header: 1`, MALFORMED],
    ['broken sealing keys', SEALING_KEYS, `{"keys":[{"k":"${CANARY}`, KEYS_UNUSABLE],
  ])('with %s is refused', (_what, name, value, problem) => {
    const { problems, values } = read({ [name]: value });
    expect(problems).toEqual([expect.stringMatching(`^environment variable ${name} ${problem}$`)]);
    expect(inspect({ problems, values }, { depth: 10 })).not.toContain('CANARY');
  });

  it('with both kinds of credential is refused', () => {
    const names = 'MONGODB_ATLAS_CLIENT_ID .* and MONGODB_ATLAS_PUBLIC_API_KEY .*';
    const problem = `^both ${names} are in the environment: unset one pair$`;
    expect(read(API_KEY_ENV).problems).toEqual([expect.stringMatching(problem)]);
  });
});

it.each([
  ['HTTPS_PROXY', 'proxy:3128', 'is not the address of a proxy'],
  ['http_proxy', 'the proxy', 'is not the address of a proxy'],
  ['HTTP_PROXY', `http://us%zer:${CANARY}@proxy`, 'is not the address of a proxy'],
  ['NODE_TLS_REJECT_UNAUTHORIZED', '0', 'lets anybody between the worker and Atlas read its credentials'],
])('%s=%s is refused', (name, value, problem) => {
  const { problems } = read({ [name]: value });
  expect(problems).toEqual([expect.stringContaining(`${name} ${problem}`)]);
  expect(problems.join()).not.toContain('CANARY');
  expect(read({ [name]: '' }).problems).toEqual([]);
});
