import { CANARY, KEYS, ORG, SINKS, problemsOf, type Env } from './configuration';

const REFERENCE = 'is not a reference to a secret: write {env: NAME} or {file: PATH}, never the secret';
const UNKNOWN = 'Unrecognized key';
const SHORTER = 'is less than initialIntervalMs: raise it';
const EXAMPLE = '64f1c0ffee5eed0000000a71: {credential: a, sinks: [drop]}';
const HOW_TO_MAKE_KEYS = 'make the keys with: live-migration-prep keys --file sealing-keys.json';
const [EMPTY, NOT_TEXT] = ['Too small: expected string to have >=1 characters', 'expected string, received'];

/** A credential whose parts are in the environment. */
const API_KEY = '{type: apiKey, publicKey: {env: P}, privateKey: {env: Q}}';
const KEY_PAIR = { P: 'public', Q: CANARY };

/** Takes away the credential of the environment. */
const NO_CREDENTIAL = { MONGODB_ATLAS_CLIENT_ID: undefined, MONGODB_ATLAS_CLIENT_SECRET: undefined };
const NO_KEYS = { LIVE_MIGRATION_PREP_SEALING_KEYS: undefined };

const credentials = (list: string, more = '') => `atlas: {credentials: {${list}}${more}}`;
const organization = (rest: string, id = ORG) => `atlas: {organizations: {${id}: {${rest}}}}`;
const hook = (more: string) =>
  `  hook: {type: webhook, url: "https://a.example", signingSecrets: [{env: K}], ${more}}`;
const SIGNING = `whsec_${'A'.repeat(32)}`;
const account = `a: {type: serviceAccount, clientId: {env: P}, clientSecret: ${CANARY}}`;

/** The problem, which is a whole text or matches, and the file. */
const WRONG_FILES: [problem: RegExp | string, yaml: string][] = [
  [' sinks: name at least one sink', 'taskQueue: x'],
  [' sinks: name at least one sink', ''],
  [':1 sinks: name at least one sink', 'sinks: {}'],
  [': Invalid input: expected object, received array', '- a'],
  [': Invalid input: expected object, received string', CANARY],
  [/^:3 sinks\.a\.type: is not a type of sink: .*\bfile\b/, 'sinks:\n  a:\n    type: flie'],
  [':2 sinks.a.type: name the type of the sink', 'sinks:\n  a: {directory: d}'],
  [':2 sinks.a.directory: name the directory for the tokens', 'sinks:\n  a: {type: file}'],
];

/** The same with the lines that follow two of sinks, and what the environment has beside. */
const WRONG_SETTINGS: [problem: RegExp | string, yaml: string, env?: Env][] = [
  [`:3 tasQueue: ${UNKNOWN}`, 'tasQueue: x'],
  [`:3 taskQueue: ${EMPTY}`, "taskQueue: ''"],
  [`:5 atlas.prety: ${UNKNOWN}`, 'atlas:\n  pretty: true\n  prety: true'],
  [`:3 retries.deliver.giveUpAfterMs: ${UNKNOWN}`, 'retries: {deliver: {giveUpAfterMs: 1000}}'],
  [':3 sinks.a/b: write letters, digits and . _ - only', '  a/b: {type: file, directory: d}'],
  [':3 health.port: Invalid input: expected int, received number', 'health: {port: 80.5}'],
  [':3 atlas.pretty: Invalid input: expected boolean, received string', 'atlas: {pretty: yes}'],
  [`:3 health.host: Invalid input: ${NOT_TEXT} number`, 'health: {host: 127}'],
  [':3 sinks.hook.timeoutMs: Too small: expected number to be >=100', hook('timeoutMs: 99'), { K: SIGNING }],
  [':3 metrics.host: is not an IP address', 'metrics: {host: localhost}'],
  [/^:3 log\.level: Invalid option: expected one of "trace"\|.*\|"error"$/, 'log: {level: loud}'],

  // Temporal would refuse these.
  [`:3 retries.create.maximumIntervalMs: ${SHORTER}`, 'retries: {create: {initialIntervalMs: 60001}}'],
  [`:3 retries.deliver.maximumIntervalMs: ${SHORTER}`, 'retries: {deliver: {initialIntervalMs: 60001}}'],
  [
    ':3 retries.deliver.maximumPauseMs: is less than firstPauseMs: raise it',
    'retries: {deliver: {firstPauseMs: 2, maximumPauseMs: 1}}',
  ],

  [/ there is no credential: set MONGODB_ATLAS_CLIENT_ID and MONGODB_ATLAS_CLIENT_SECRET/, '', NO_CREDENTIAL],
  [
    /^:3 atlas\.credentials\.a\.privateKey: environment variable Q is not a credential/,
    credentials(`a: ${API_KEY}`),
    { ...NO_CREDENTIAL, P: 'p', Q: `${CANARY}ü` },
  ],
  [`:3 atlas.credentials.a.clientSecret: ${REFERENCE}`, credentials(account), { ...NO_CREDENTIAL, P: 'p' }],
  [
    ':3 atlas.credentials.a.type: is not a credential: write type: serviceAccount or type: apiKey',
    credentials(`a: {type: password, value: ${CANARY}}`),
    NO_CREDENTIAL,
  ],
  [
    ':3 atlas.credentials.default: is the name of the credential in the environment: rename this one',
    credentials(`default: ${API_KEY}`),
    KEY_PAIR,
  ],
  [`:3 sealing.keys: ${REFERENCE}`, `sealing: {keys: ${KEYS}}`],
  [':3 sealing.keys: environment variable NOPE is not set or empty: set it', 'sealing: {keys: {env: NOPE}}'],
  [
    ` sealing.keys: is missing: name a file, or set LIVE_MIGRATION_PREP_SEALING_KEYS; ${HOW_TO_MAKE_KEYS}`,
    '',
    NO_KEYS,
  ],

  [
    `:3 atlas.organizations: is missing: with several credentials (a, b), name the one of each organization, such as ${EXAMPLE}`,
    credentials(`a: ${API_KEY}, b: ${API_KEY}`, ', organizations: '),
    { ...NO_CREDENTIAL, ...KEY_PAIR },
  ],
  [
    /^:3 atlas\.organizations: is missing: with several credentials \(a, default\), /,
    credentials(`a: ${API_KEY}`),
    KEY_PAIR,
  ],
  [
    ':3 atlas.organizations: is empty, so no organization would be served: name one, or remove it',
    'atlas: {organizations: {}}',
  ],
  [
    /^:3 atlas\.organizations\.Acme: is not 24 lower-case hexadecimal digits/,
    organization('credential: default, sinks: [drop]', 'Acme'),
  ],
  [
    `:3 atlas.organizations.${ORG}.sinks: Too small: expected array to have >=1 items`,
    organization('credential: default, sinks: []'),
  ],
  [
    `:3 atlas.organizations.${ORG}.credential: Invalid input: ${NOT_TEXT} undefined`,
    organization('sinks: [drop]'),
  ],
  [
    `:3 atlas.organizations.${ORG}.credential: nope is not configured: name one of default`,
    organization('credential: nope, sinks: [drop]'),
  ],
  [
    `:3 atlas.organizations.${ORG}.sinks.1: nope is not configured: name one of drop`,
    organization('credential: default, sinks: [drop, nope]'),
  ],
];

describe('a configuration is refused: lmp.yaml', () => {
  const settings = WRONG_SETTINGS.map(([problem, yaml, env = {}]) => [problem, SINKS + yaml, env] as const);

  it.each([...WRONG_FILES, ...settings])('%s', (problem, yaml, env = {}) => {
    const found = problemsOf(`${yaml}\n`, env).map((text) => text.replace(/^lmp\.yaml/, ''));
    expect(found).toEqual([typeof problem === 'string' ? problem : expect.stringMatching(problem)]);
  });
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
