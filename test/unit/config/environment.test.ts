import { inspect } from 'node:util';
import { readEnvironment } from '../../../src/config/environment';
import { CANARY, ENV, type Env } from './configuration';

const [ID, SECRET] = ['MONGODB_ATLAS_CLIENT_ID', 'MONGODB_ATLAS_CLIENT_SECRET'];
const [NAME, BUILD] = ['TEMPORAL_DEPLOYMENT_NAME', 'TEMPORAL_WORKER_BUILD_ID'];
const BASE_URL = 'MONGODB_ATLAS_BASE_URL';
const KEYS = 'LIVE_MIGRATION_PREP_SEALING_KEYS';
const API_KEY_ENV = {
  MONGODB_ATLAS_PUBLIC_API_KEY: 'public',
  MONGODB_ATLAS_PRIVATE_API_KEY: `${CANARY}-private`,
};

const read = (env: Env) => readEnvironment({ ...ENV, ...env });

test('the credential of the environment is a service account, an API key or missing: the file can name one', () => {
  const account = read({}).values.credential;
  expect(account?.type === 'serviceAccount' && account.clientSecret.read()).toBe(`${CANARY}-secret`);
  const key = readEnvironment(API_KEY_ENV).values.credential;
  expect(key?.type === 'apiKey' && key.privateKey.read()).toBe(`${CANARY}-private`);
  expect(readEnvironment({})).toMatchObject({ values: { credential: null }, problems: [] });
});

test('two variables name the version of a worker', () => {
  const deployment = { name: 'lmp', buildId: '1.0' };
  expect(read({ [NAME]: 'lmp', [BUILD]: '1.0' })).toMatchObject({ values: { deployment }, problems: [] });
});

it.each([
  ['https://Atlas.Example.com:8443/', 'https://atlas.example.com:8443', 'without'],
  ['http://127.0.0.1:4400', 'http://127.0.0.1:4400', 'without'],
  ['http://[::1]:4400', 'http://[::1]:4400', 'without'],
  ['http://localhost:4400', 'http://localhost:4400', 'without'],
  ['http://127.evil.example', 'http://127.evil.example', 'with'],
  ['http://127.0.0.1.evil.example', 'http://127.0.0.1.evil.example', 'with'],
])('the base URL %s is read as %s, %s a warning', (url, baseUrl, kind) => {
  const warning = `${BASE_URL} is http: credentials and tokens cross the network unencrypted`;
  const warnings = kind === 'with' ? [warning] : [];
  expect(read({ [BASE_URL]: url })).toMatchObject({ values: { baseUrl }, problems: [], warnings });
});

const UNSET = 'is not set or empty: set it';
const MALFORMED = 'is not a credential: it contains white space or characters outside ASCII';
const SERVER = 'is not the address of a server, such as https://cloud.mongodb.com';
const PROXY = 'is not the address of a proxy';

it.each<[name: string, value: string | undefined, problem: string]>([
  [SECRET, undefined, UNSET],
  [ID, '', UNSET],
  [SECRET, `${CANARY}\r\nX-Header: 1`, MALFORMED],
  [KEYS, `{"keys":[{"k":"${CANARY}`, 'cannot be used: .*not JSON; make the keys with: live-.* keys --file'],
  [NAME, 'x', `is set and ${BUILD} is not: set both for a versioned worker, or neither`],
  [BUILD, 'x', `is set and ${NAME} is not`],
  [BASE_URL, 'cloud.mongodb.com', SERVER],
  [BASE_URL, 'ftp://cloud.mongodb.com', SERVER],
  [BASE_URL, 'https://cloud.mongodb.com/api/atlas/v2', SERVER],
  [BASE_URL, `https://user:${CANARY}@cloud.mongodb.com`, SERVER],
  ['HTTPS_PROXY', 'proxy:3128', PROXY],
  ['http_proxy', 'the proxy', PROXY],
  ['HTTP_PROXY', `http://us%zer:${CANARY}@proxy`, PROXY],
  ['NODE_TLS_REJECT_UNAUTHORIZED', '0', 'lets anybody between the worker and Atlas read its credentials'],
])('the variable %s is refused with the value %j, which is not quoted', (name, value, problem) => {
  const { problems, values } = read({ [name]: value });
  expect(problems).toEqual([expect.stringMatching(`^environment variable ${name} ${problem}`)]);
  expect(inspect({ problems, values }, { depth: 10 })).not.toContain('CANARY');
});

test('both kinds of credential are refused', () => {
  const problem = `^both ${ID} .* and MONGODB_ATLAS_PUBLIC_API_KEY .* are in the environment: unset one pair$`;
  expect(read(API_KEY_ENV).problems).toEqual([expect.stringMatching(problem)]);
});

test('empty variables count as unset', () => {
  const names = [BASE_URL, 'MONGODB_ATLAS_PUBLIC_API_KEY', NAME, BUILD, KEYS, 'HTTPS_PROXY'];
  expect(read(Object.fromEntries(names.map((name) => [name, ''])))).toMatchObject({
    values: { baseUrl: 'https://cloud.mongodb.com', deployment: null, sealingKeys: null },
    problems: [],
  });
});
