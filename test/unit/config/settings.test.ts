import { CANARY, KEYS, ORG, SINKS, problemsOf, type Env } from './configuration';

const REFERENCE = 'is not a reference to a secret: write {env: NAME} or {file: PATH}, never the secret';
const SHORTER = 'is less than initialIntervalMs: raise it';
const EXAMPLE = '64f1c0ffee5eed0000000a71: {credential: a, sinks: [drop]}';
const OR_MAKE_KEYS =
  'LIVE_MIGRATION_PREP_SEALING_KEYS; make the keys with: live-migration-prep keys --file sealing-keys.json';

/** A credential whose parts are in the environment. */
const API_KEY = '{type: apiKey, publicKey: {env: P}, privateKey: {env: Q}}';
const KEY_PAIR = { P: 'public', Q: CANARY };

/** Takes away the credential of the environment. */
const NO_CREDENTIAL = { MONGODB_ATLAS_CLIENT_ID: undefined, MONGODB_ATLAS_CLIENT_SECRET: undefined };
const NO_KEYS = { LIVE_MIGRATION_PREP_SEALING_KEYS: undefined };

const credentials = (list: string, more = '') => `atlas: {credentials: {${list}}${more}}`;
const organization = (rest: string) => `atlas: {organizations: {${ORG}: {${rest}}}}`;
const password = `a: {type: password, value: ${CANARY}}`;
const account = `a: {type: serviceAccount, clientId: {env: P}, clientSecret: ${CANARY}}`;

/** Tells how the problem begins, the lines that follow the two of sinks, and the environment. */
const WRONG: [problem: string, yaml: string, env?: Env][] = [
  ['retries.deliver.giveUpAfterMs: Unrecognized key', 'retries: {deliver: {giveUpAfterMs: 1000}}'],
  ['sinks.a/b: write letters, digits and . _ - only', '  a/b: {type: file, directory: d}'],
  ['metrics.host: is not an IP address', 'metrics: {host: localhost}'],

  // Temporal would refuse these.
  [`retries.create.maximumIntervalMs: ${SHORTER}`, 'retries: {create: {initialIntervalMs: 60001}}'],
  [`retries.deliver.maximumIntervalMs: ${SHORTER}`, 'retries: {deliver: {initialIntervalMs: 60001}}'],
  [
    'retries.deliver.maximumPauseMs: is less than',
    'retries: {deliver: {firstPauseMs: 2, maximumPauseMs: 1}}',
  ],

  ['atlas.credentials: there is no credential: set MONGODB_ATLAS_CLIENT_ID and', '', NO_CREDENTIAL],
  [
    'atlas.credentials.a.privateKey: environment variable Q is not a credential',
    credentials(`a: ${API_KEY}`),
    { ...NO_CREDENTIAL, P: 'p', Q: `${CANARY}ü` },
  ],
  [`atlas.credentials.a.clientSecret: ${REFERENCE}`, credentials(account), { ...NO_CREDENTIAL, P: 'p' }],
  ['atlas.credentials.a.type: is not a credential: write', credentials(password), NO_CREDENTIAL],
  [
    'atlas.credentials.default: is the name of the credential in the environment: rename this one',
    credentials(`default: ${API_KEY}`),
    KEY_PAIR,
  ],
  [`sealing.keys: ${REFERENCE}`, `sealing: {keys: ${KEYS}}`],
  [`sealing.keys: is missing: name a file, or set ${OR_MAKE_KEYS}`, '', NO_KEYS],

  [
    `atlas.organizations: is missing: with several credentials (a, b), name the one of each organization, such as ${EXAMPLE}`,
    credentials(`a: ${API_KEY}, b: ${API_KEY}`, ', organizations: '),
    { ...NO_CREDENTIAL, ...KEY_PAIR },
  ],
  [
    'atlas.organizations: is missing: with several credentials (a, default), ',
    credentials(`a: ${API_KEY}`),
    KEY_PAIR,
  ],
  ['atlas.organizations: is empty, so no organization would be served', 'atlas: {organizations: {}}'],
  [`atlas.organizations.${ORG}.sinks: Too small`, organization('credential: default, sinks: []')],
  [
    `atlas.organizations.${ORG}.credential: nope is not configured: name one of default`,
    organization('credential: nope, sinks: [drop]'),
  ],
];

it.each(WRONG)('a configuration is refused: %s', (problem, yaml, env = {}) => {
  const found = problemsOf(`${SINKS}${yaml}\n`, env);
  expect(found).toEqual([expect.stringMatching(/^lmp\.yaml(:3)? /)]);
  expect(found[0]?.replace(/^\S+ /, '').slice(0, problem.length)).toBe(problem);
});

it.each([
  ['', ' sinks: name at least one sink'],
  ['sinks: {}', ':1 sinks: name at least one sink'],
  [CANARY, ': Invalid input: expected object, received string'],
  ['sinks:\n  a: {type: file}', ':2 sinks.a.directory: name the directory for the tokens'],
])('the file %j is refused: lmp.yaml%s', (yaml, problem) => {
  expect(problemsOf(`${yaml}\n`)).toEqual([`lmp.yaml${problem}`]);
});

/** The least and the greatest value of a setting; null where another setting, or nothing, bounds it. */
it.each([
  ['atlas.requestTimeoutMs', 100, 300_000],
  ['retries.create.initialIntervalMs', 1, null],
  ['retries.create.backoffCoefficient', 1, null],
  ['retries.create.maximumIntervalMs', null, 2_592_000_000],
  ['retries.create.giveUpAfterMs', 1000, 2_592_000_000],
  ['retries.deliver.maximumIntervalMs', null, 2_592_000_000],
  ['retries.deliver.roundMs', 1000, 2_592_000_000],
  ['retries.deliver.firstPauseMs', 1, null],
  ['retries.deliver.maximumPauseMs', null, 2_592_000_000],
  ['worker.maxConcurrentActivities', 1, 10_000],
  ['worker.maxCachedWorkflows', 2, null],
  ['worker.heartbeatTimeoutMs', 3000, null],
  ['worker.maxActivitiesPerSecond', Number.MIN_VALUE, null],
  ['schedules.minimumTokenAgeMs', 0, null],
  ['health.port', 0, 65_535],
  ['metrics.port', 1, 65_535],
])('the setting %s is from %p to %p', (setting, least, greatest) => {
  const problemsWith = (value: number) => {
    const settings = setting.split('.').reduceRight<unknown>((inner, key) => ({ [key]: inner }), value);
    const sinks = { drop: { type: 'file', directory: 'tokens' } };
    return problemsOf(JSON.stringify({ sinks, ...(settings as object) }));
  };
  for (const [bound, beyond] of [[least, -1] as const, [greatest, 1] as const]) {
    if (bound === null) continue;
    expect(problemsWith(bound)).toEqual([]);
    const problem = ` ${setting}: Too ${beyond < 0 ? 'small' : 'big'}: expected number to be `;
    expect(problemsWith(bound + beyond)).toEqual([expect.stringContaining(problem)]);
  }
});
