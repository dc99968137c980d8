import { CANARY, SINKS, load, problemsOf, type Env } from './configuration';

const [ID, SECRET] = ['MONGODB_ATLAS_CLIENT_ID', 'MONGODB_ATLAS_CLIENT_SECRET'];
const [NAME, BUILD] = ['TEMPORAL_DEPLOYMENT_NAME', 'TEMPORAL_WORKER_BUILD_ID'];
const BASE_URL = 'MONGODB_ATLAS_BASE_URL';
const KEYS = 'LIVE_MIGRATION_PREP_SEALING_KEYS';
const API_KEY_ENV = {
  MONGODB_ATLAS_PUBLIC_API_KEY: 'public',
  MONGODB_ATLAS_PRIVATE_API_KEY: `${CANARY}-private`,
};

const defaultCredential = (env: Env, yaml = '') =>
  load(SINKS + yaml, env).atlas.credentials.get('default');

describe('the credential of the environment', () => {
  it('is a service account', () => {
    const account = defaultCredential({});
    expect(account?.type === 'serviceAccount' && account.clientSecret.read()).toBe(
      `${CANARY}-secret`,
    );
  });

  it('is an API key when there is no service account', () => {
    const key = defaultCredential({ ...API_KEY_ENV, [ID]: '', [SECRET]: '' });
    expect(key?.type === 'apiKey' && key.privateKey.read()).toBe(`${CANARY}-private`);
  });

  it('gives way to a credential of the same name in the file', () => {
    const yaml =
      'atlas: {credentials: {default: {type: apiKey, publicKey: public, privateKey: {env: P}}}}\n';
    expect(defaultCredential({ P: 'private' }, yaml)).toMatchObject({ type: 'apiKey' });
  });

  it('is refused when it is both a service account and an API key', () => {
    expect(problemsOf(SINKS, API_KEY_ENV)).toEqual([
      `both ${ID} (service account) and MONGODB_ATLAS_PUBLIC_API_KEY (API key) are set: unset one pair`,
    ]);
  });
});

it('two variables name the version of a worker', () => {
  expect(load(SINKS, { [NAME]: 'lmp', [BUILD]: '1.0' }).deployment).toEqual({
    name: 'lmp',
    buildId: '1.0',
  });
});

it.each([
  ['https://Atlas.Example.com:8443/', 'https://atlas.example.com:8443', 'without'],
  ['http://127.0.0.1:4400', 'http://127.0.0.1:4400', 'without'],
  ['http://[::1]:4400', 'http://[::1]:4400', 'without'],
  ['http://localhost:4400', 'http://localhost:4400', 'without'],
  ['http://127.evil.example', 'http://127.evil.example', 'with'],
  ['http://127.0.0.1.evil.example', 'http://127.0.0.1.evil.example', 'with'],
])('the base URL %s is read as %s, %s a warning', (url, baseUrl, kind) => {
  const warning =
    'atlas.baseUrl is http, so credentials and tokens are sent unencrypted: write https';
  const warnings = kind === 'with' ? [warning] : [];
  expect(load(SINKS, { [BASE_URL]: url })).toMatchObject({ atlas: { baseUrl }, warnings });
});

it('the base URL of Atlas in the file takes precedence', () => {
  const yaml = `${SINKS}atlas: {baseUrl: 'https://file.example'}\n`;
  expect(load(yaml, { [BASE_URL]: 'https://environment.example' }).atlas.baseUrl).toBe(
    'https://file.example',
  );
});

const MALFORMED = 'is not a credential: it contains white space or characters outside ASCII';
const SERVER = "is not a server's address: write one such as https://cloud.mongodb.com";
const PROXY = "is not a proxy's address";

const variable = (problem: string) =>
  expect.stringMatching(`(^|: )environment variable ${problem}`);

it.each([
  [ID, SECRET, `${SECRET} is not set or empty: set it`],
  [SECRET, ID, `${ID} is not set or empty: set it`],
  [NAME, BUILD, `${NAME} is set without ${BUILD}: set both, for a versioned worker, or neither`],
  [BUILD, NAME, `${BUILD} is set without ${NAME}`],
])('the variable %s is refused without %s', (name, other, problem) => {
  expect(problemsOf(SINKS, { [name]: 'x', [other]: '' })).toEqual([variable(problem)]);
});

it.each([
  [SECRET, `${CANARY}\r\nX-Header: 1`, MALFORMED],
  [
    KEYS,
    `{"keys":[{"k":"${CANARY}`,
    'cannot be used: .*not JSON: restore them .*; for a first .* sealing-keys --file',
  ],
  [BASE_URL, 'cloud.mongodb.com', SERVER],
  [BASE_URL, 'ftp://cloud.mongodb.com', SERVER],
  [BASE_URL, 'https://cloud.mongodb.com/api/atlas/v2', SERVER],
  [BASE_URL, `https://user:${CANARY}@cloud.mongodb.com`, SERVER],
  ['HTTPS_PROXY', 'proxy:3128', PROXY],
  ['http_proxy', 'the proxy', PROXY],
  ['HTTP_PROXY', `http://us%zer:${CANARY}@proxy`, PROXY],
  [
    'NODE_TLS_REJECT_UNAUTHORIZED',
    '0',
    'lets anybody between the worker and Atlas read its credentials',
  ],
])(
  'the variable %s is refused with the value %j, and no secret is quoted',
  (name, value, problem) => {
    expect(problemsOf(SINKS, { [name]: value })).toEqual([variable(`${name} ${problem}`)]);
  },
);

it('empty variables count as unset', () => {
  const names = [BASE_URL, 'MONGODB_ATLAS_PUBLIC_API_KEY', NAME, BUILD, 'HTTPS_PROXY'];
  expect(load(SINKS, Object.fromEntries(names.map((name) => [name, ''])))).toMatchObject({
    atlas: { baseUrl: 'https://cloud.mongodb.com' },
    deployment: null,
  });
});
