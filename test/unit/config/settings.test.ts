import { CANARY, KEYS, ORG, SINKS, problemsOf, type Env } from './configuration';

const REFERENCE = 'is not a reference to a secret: write {env: NAME} or {file: PATH}, never the secret';
const UNKNOWN = 'Unrecognized key';
const SHORTER = 'is less than initialIntervalMs: raise it';
const EXAMPLE = '64f1c0ffee5eed0000000a71: {credential: a, sinks: [drop]}';
const HOW_TO_MAKE_KEYS = 'make the keys with: live-migration-prep keys --file sealing-keys.json';

/** Settings of credentials whose parts are in the environment. */
const API_KEY = '{type: apiKey, publicKey: {env: P}, privateKey: {env: Q}}';
const KEY_PAIR = { P: 'public', Q: CANARY };

/** Takes away the credential of the environment. */
const NO_CREDENTIAL = { MONGODB_ATLAS_CLIENT_ID: undefined, MONGODB_ATLAS_CLIENT_SECRET: undefined };

const credentials = (...lines: string[]) => [
  'atlas:',
  '  credentials:',
  ...lines.map((line) => `    ${line}`),
];
const organization = (rest: string, id = ORG) => ['atlas:', '  organizations:', `    ${id}: ${rest}`];

/** The problem, which is a whole text or matches, and the lines of the file. */
const WRONG_FILES: [problem: RegExp | string, lines: string[]][] = [
  [' sinks: name at least one sink', ['taskQueue: x']],
  [' sinks: name at least one sink', []],
  [':1 sinks: name at least one sink', ['sinks: {}']],
  [': Invalid input: expected object, received array', ['- a']],
  [': Invalid input: expected object, received string', [CANARY]],
  [/^:3 sinks\.a\.type: is not a type of sink: .*\bfile\b/, ['sinks:', '  a:', '    type: flie']],
  [':2 sinks.a.type: name the type of the sink', ['sinks:', '  a: {directory: d}']],
  [':2 sinks.a.directory: name the directory for the tokens', ['sinks:', '  a: {type: file}']],
];

/** The same, with the lines that follow two of sinks, and what the environment has beside. */
const WRONG_SETTINGS: [problem: RegExp | string, lines: string[], env?: Env][] = [
  [`:3 tasQueue: ${UNKNOWN}`, ['tasQueue: x']],
  [':3 taskQueue: Too small: expected string to have >=1 characters', ["taskQueue: ''"]],
  [`:5 atlas.prety: ${UNKNOWN}`, ['atlas:', '  pretty: true', '  prety: true']],
  [`:4 retries.deliver.giveUpAfterMs: ${UNKNOWN}`, ['retries:', '  deliver: {giveUpAfterMs: 1000}']],
  [':3 sinks.a/b: write letters, digits and . _ - only', ['  a/b: {type: file, directory: d}']],
  [':4 health.port: Too big: expected number to be <=65535', ['health:', '  port: 70000']],
  [':3 health.port: Invalid input: expected int, received number', ['health: {port: 80.5}']],
  [':3 atlas.pretty: Invalid input: expected boolean, received string', ['atlas: {pretty: yes}']],
  [':3 health.host: Invalid input: expected string, received number', ['health: {host: 127}']],
  [':3 health.host: Too small: expected string to have >=1 characters', ["health: {host: ''}"]],
  [
    ':3 sinks.hook.timeoutMs: Too small: expected number to be >=100',
    ['  hook: {type: webhook, url: "https://a.example", signingSecrets: [{env: K}], timeoutMs: 99}'],
    { K: `whsec_${'A'.repeat(32)}` },
  ],
  [':3 metrics.host: is not an IP address', ['metrics: {host: localhost}']],
  [
    ':4 atlas.requestTimeoutMs: Invalid input: expected number, received string',
    ['atlas:', '  requestTimeoutMs: 30s'],
  ],
  [/^:3 log\.level: Invalid option: expected one of "trace"\|.*\|"error"$/, ['log: {level: loud}']],
  [
    ':3 worker.heartbeatTimeoutMs: Too small: expected number to be >=3000',
    ['worker: {heartbeatTimeoutMs: 2999}'],
  ],
  [
    ':3 worker.maxActivitiesPerSecond: Too small: expected number to be >0',
    ['worker: {maxActivitiesPerSecond: 0}'],
  ],

  // Temporal would refuse these.
  [`:4 retries.create.maximumIntervalMs: ${SHORTER}`, ['retries:', '  create: {initialIntervalMs: 60001}']],
  [`:4 retries.deliver.maximumIntervalMs: ${SHORTER}`, ['retries:', '  deliver: {initialIntervalMs: 60001}']],
  [
    ':6 retries.deliver.maximumPauseMs: is less than firstPauseMs: raise it',
    ['retries:', '  deliver:', '    firstPauseMs: 2', '    maximumPauseMs: 1'],
  ],

  [/ there is no credential: set MONGODB_ATLAS_CLIENT_ID and MONGODB_ATLAS_CLIENT_SECRET/, [], NO_CREDENTIAL],
  [
    /^:5 atlas\.credentials\.a\.privateKey: environment variable Q is not a credential/,
    credentials(`a: ${API_KEY}`),
    { ...NO_CREDENTIAL, P: 'p', Q: `${CANARY}ü` },
  ],
  [
    `:8 atlas.credentials.a.clientSecret: ${REFERENCE}`,
    credentials('a:', '  type: serviceAccount', '  clientId: {env: P}', `  clientSecret: ${CANARY}`),
    { ...NO_CREDENTIAL, P: 'p' },
  ],
  [
    ':5 atlas.credentials.a.type: is not a credential: write type: serviceAccount or type: apiKey',
    credentials(`a: {type: password, value: ${CANARY}}`),
    NO_CREDENTIAL,
  ],
  [
    ':5 atlas.credentials.default: is the name of the credential in the environment: rename this one',
    credentials(`default: ${API_KEY}`),
    KEY_PAIR,
  ],
  [`:4 sealing.keys: ${REFERENCE}`, ['sealing:', `  keys: ${KEYS}`]],
  [
    ':4 sealing.keys: environment variable NOPE is not set or empty: set it',
    ['sealing:', '  keys: {env: NOPE}'],
  ],
  [
    ` sealing.keys: is missing: name a file, or set LIVE_MIGRATION_PREP_SEALING_KEYS; ${HOW_TO_MAKE_KEYS}`,
    [],
    { LIVE_MIGRATION_PREP_SEALING_KEYS: undefined },
  ],

  [
    `:7 atlas.organizations: is missing: with several credentials (a, b), name the one of each organization, such as ${EXAMPLE}`,
    [...credentials(`a: ${API_KEY}`, `b: ${API_KEY}`), '  organizations:'],
    { ...NO_CREDENTIAL, ...KEY_PAIR },
  ],
  [
    /^:4 atlas\.organizations: is missing: with several credentials \(a, default\), /,
    credentials(`a: ${API_KEY}`),
    KEY_PAIR,
  ],
  [
    ':4 atlas.organizations: is empty, so no organization would be served: name one, or remove it',
    ['atlas:', '  organizations: {}'],
  ],
  [
    /^:5 atlas\.organizations\.Acme: is not 24 lower-case hexadecimal digits/,
    organization('{credential: default, sinks: [drop]}', 'Acme'),
  ],
  [
    `:5 atlas.organizations.${ORG}.sinks: Too small: expected array to have >=1 items`,
    organization('{credential: default, sinks: []}'),
  ],
  [
    `:5 atlas.organizations.${ORG}.sinks: Invalid input: expected array, received string`,
    organization('{credential: default, sinks: drop}'),
  ],
  [
    `:5 atlas.organizations.${ORG}.credential: Invalid input: expected string, received undefined`,
    organization('{sinks: [drop]}'),
  ],
  [
    `:5 atlas.organizations.${ORG}.credential: nope is not configured: name one of default`,
    organization('{credential: nope, sinks: [drop]}'),
  ],
  [
    `:5 atlas.organizations.${ORG}.sinks.1: nope is not configured: name one of drop`,
    organization('{credential: default, sinks: [drop, nope]}'),
  ],
];

/** The least and the greatest value of a setting; null where another setting, or nothing, bounds it. */
const BOUNDS: [setting: string, least: number | null, greatest: number | null][] = [
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
  ['schedules.minimumTokenAgeMs', 0, null],
  ['health.port', 0, 65_535],
  ['metrics.port', 1, 65_535],
];

describe.each(BOUNDS)('the setting %s', (setting, least, greatest) => {
  const problemsWith = (value: number) => {
    const settings = setting.split('.').reduceRight<unknown>((inner, key) => ({ [key]: inner }), value);
    const sinks = { drop: { type: 'file', directory: 'tokens' } };
    return problemsOf(JSON.stringify({ sinks, ...(settings as object) }));
  };
  const bounds = [
    { bound: least, beyond: -1, problem: 'Too small: expected number to be >=' },
    { bound: greatest, beyond: 1, problem: 'Too big: expected number to be <=' },
  ];

  it.each(bounds.filter(({ bound }) => bound !== null))('may be $bound', ({ bound, beyond, problem }) => {
    expect(problemsWith(Number(bound))).toEqual([]);
    expect(problemsWith(Number(bound) + beyond)).toEqual([
      expect.stringContaining(` ${setting}: ${problem}${bound}`),
    ]);
  });
});

describe('a configuration is refused: lmp.yaml', () => {
  const fileOf = (lines: string[]) => lines.map((line) => `${line}\n`).join('');
  const files = WRONG_FILES.map(([problem, lines]) => [problem, fileOf(lines), {}] as const);
  const settings = WRONG_SETTINGS.map(
    ([problem, lines, env = {}]) => [problem, SINKS + fileOf(lines), env] as const,
  );

  it.each([...files, ...settings])('%s', (problem, yaml, env) => {
    const found = problemsOf(yaml, env).map((text) => text.replace(/^lmp\.yaml/, ''));
    expect(found).toEqual([typeof problem === 'string' ? problem : expect.stringMatching(problem)]);
  });
});
