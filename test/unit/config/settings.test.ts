import { CANARY, KEYS, ORG, SINKS, problemsOf, type Env } from './configuration';

const REFERENCE = `is not a reference to a secret: write {env: NAME} or {file: PATH}, never the secret`;

/** Of credentials whose parts are in the environment. */
const API_KEY = '{type: apiKey, publicKey: {env: P}, privateKey: {env: Q}}';
const KEY_PAIR = { P: 'public', Q: CANARY };

/** Takes away the credential of the environment. */
const NO_CREDENTIAL = { MONGODB_ATLAS_CLIENT_ID: undefined, MONGODB_ATLAS_CLIENT_SECRET: undefined };

const WRONG: [what: string, yaml: string, env: Env, problem: string | RegExp][] = [
  ['no sinks', 'taskQueue: x\n', {}, /^lmp\.yaml sinks: name at least one sink$/],
  ['an empty file', '', {}, /^lmp\.yaml sinks: name at least one sink$/],
  ['an empty map of sinks', 'sinks: {}\n', {}, 'lmp.yaml:1 sinks: name at least one sink'],
  ['a list', '- a\n', {}, 'lmp.yaml: is not a mapping: write one'],
  ['a text', `${CANARY}\n`, {}, 'lmp.yaml: is not a mapping: write one'],
  [
    'an unknown key',
    `${SINKS}tasQueue: x\n`,
    {},
    'lmp.yaml:3 tasQueue: is not a setting: remove it, or correct its name',
  ],
  [
    'an unknown key further in',
    `${SINKS}atlas:\n  pretty: true\n  prety: true\n`,
    {},
    'lmp.yaml:5 atlas.prety: is not a setting: remove it, or correct its name',
  ],
  [
    'an unknown type of sink',
    'sinks:\n  drop:\n    type: flie\n    directory: d\n',
    {},
    /^lmp\.yaml:3 sinks\.drop\.type: is not a type of sink: write one of .*\bfile\b/,
  ],
  [
    'a sink without type',
    'sinks:\n  drop: {directory: d}\n',
    {},
    'lmp.yaml:2 sinks.drop.type: name the type of the sink',
  ],
  [
    'a sink without its settings',
    'sinks:\n  drop: {type: file}\n',
    {},
    'lmp.yaml:2 sinks.drop.directory: name the directory for the tokens',
  ],
  [
    'a name of a sink with a slash',
    `${SINKS}  a/b: {type: file, directory: d}\n`,
    {},
    'lmp.yaml:3 sinks.a/b: write letters, digits and . _ - only',
  ],
  [
    'a port out of range',
    `${SINKS}health:\n  port: 70000\n`,
    {},
    'lmp.yaml:4 health.port: is too large: write 65535 or less',
  ],
  [
    'a port that is not a whole number',
    `${SINKS}health: {port: 80.5}\n`,
    {},
    'lmp.yaml:3 health.port: is not a whole number: write one',
  ],
  [
    'a flag that is neither true nor false',
    `${SINKS}atlas: {pretty: yes}\n`,
    {},
    'lmp.yaml:3 atlas.pretty: is not true or false: write one',
  ],
  [
    'a number in place of a name',
    `${SINKS}health: {host: 127}\n`,
    {},
    'lmp.yaml:3 health.host: is not a string: write one',
  ],
  ['an empty name', `${SINKS}health: {host: ''}\n`, {}, 'lmp.yaml:3 health.host: is empty: write a value'],
  [
    'a timeout of a sink that is too short',
    'sinks:\n  hook: {type: webhook, url: "https://a.example", signingSecrets: [{env: K}], timeoutMs: 99}\n',
    { K: `whsec_${'A'.repeat(32)}` },
    'lmp.yaml:2 sinks.hook.timeoutMs: is too small: write 100 or more',
  ],
  [
    'a host name where metrics need an address',
    `${SINKS}metrics: {host: localhost}\n`,
    {},
    'lmp.yaml:3 metrics.host: is not an IP address',
  ],
  [
    'a timeout that is a text',
    `${SINKS}atlas:\n  requestTimeoutMs: 30s\n`,
    {},
    'lmp.yaml:4 atlas.requestTimeoutMs: is not a number: write one',
  ],
  [
    'an unknown log level',
    `${SINKS}log: {level: loud}\n`,
    {},
    'lmp.yaml:3 log.level: write one of trace, debug, info, warn, error',
  ],
  [
    'a first wait longer than the longest, which Temporal would refuse',
    `${SINKS}retries:\n  create: {initialIntervalMs: 60001}\n`,
    {},
    'lmp.yaml:4 retries.create.maximumIntervalMs: is less than initialIntervalMs: raise it',
  ],
  [
    'the same of deliveries',
    `${SINKS}retries:\n  deliver: {initialIntervalMs: 2, maximumIntervalMs: 1}\n`,
    {},
    'lmp.yaml:4 retries.deliver.maximumIntervalMs: is less than initialIntervalMs: raise it',
  ],
  [
    'a first pause longer than the longest',
    `${SINKS}retries:\n  deliver:\n    firstPauseMs: 2\n    maximumPauseMs: 1\n`,
    {},
    'lmp.yaml:6 retries.deliver.maximumPauseMs: is less than firstPauseMs: raise it',
  ],
  [
    'a time to give up deliveries',
    `${SINKS}retries:\n  deliver: {giveUpAfterMs: 1000}\n`,
    {},
    'lmp.yaml:4 retries.deliver.giveUpAfterMs: is not a setting: remove it, or correct its name',
  ],
  [
    'a heartbeat timeout shorter than a heartbeat takes',
    `${SINKS}worker: {heartbeatTimeoutMs: 2999}\n`,
    {},
    'lmp.yaml:3 worker.heartbeatTimeoutMs: is too small: write 3000 or more',
  ],
  ...[
    'create: {giveUpAfterMs: 2592000001}',
    'create: {maximumIntervalMs: 2592000001}',
    'deliver: {roundMs: 2592000001}',
    'deliver: {maximumPauseMs: 2592000001}',
  ].map((setting): (typeof WRONG)[number] => [
    `a wait of more than 30 days: ${setting}`,
    `${SINKS}retries:\n  ${setting}\n`,
    {},
    /^lmp\.yaml:4 retries\.(create|deliver)\.\w+Ms: .*2592000000/,
  ]),
  [
    'no activity a second',
    `${SINKS}worker: {maxActivitiesPerSecond: 0}\n`,
    {},
    'lmp.yaml:3 worker.maxActivitiesPerSecond: is too small: write more than 0',
  ],
  [
    'no credential',
    SINKS,
    NO_CREDENTIAL,
    /there is no credential: set MONGODB_ATLAS_CLIENT_ID and MONGODB_ATLAS_CLIENT_SECRET/,
  ],
  [
    'a named secret outside ASCII',
    `${SINKS}atlas:\n  credentials:\n    a: {type: apiKey, publicKey: {env: P}, privateKey: {env: Q}}\n`,
    { ...NO_CREDENTIAL, P: 'p', Q: `${CANARY}ü` },
    /^lmp\.yaml:5 atlas\.credentials\.a\.privateKey: environment variable Q is not a credential/,
  ],
  [
    'a secret in place of a reference',
    `${SINKS}atlas:\n  credentials:\n    a:\n      type: serviceAccount\n      clientId: {env: P}\n      clientSecret: ${CANARY}\n`,
    { ...NO_CREDENTIAL, P: 'p' },
    `lmp.yaml:8 atlas.credentials.a.clientSecret: ${REFERENCE}`,
  ],
  [
    'sealing keys in place of a reference',
    `${SINKS}sealing:\n  keys: ${KEYS}\n`,
    {},
    `lmp.yaml:4 sealing.keys: ${REFERENCE}`,
  ],
  [
    'a variable that is not set',
    `${SINKS}sealing:\n  keys: {env: NOPE}\n`,
    {},
    /^lmp\.yaml:4 sealing\.keys: environment variable NOPE is not set or empty: set it$/,
  ],
  [
    'an unknown kind of credential',
    `${SINKS}atlas:\n  credentials:\n    a: {type: password, value: ${CANARY}}\n`,
    NO_CREDENTIAL,
    'lmp.yaml:5 atlas.credentials.a.type: is not a credential: write type: serviceAccount or type: apiKey',
  ],
  [
    'no sealing key',
    SINKS,
    { LIVE_MIGRATION_PREP_SEALING_KEYS: undefined },
    'lmp.yaml sealing.keys: is missing: name a file, or set LIVE_MIGRATION_PREP_SEALING_KEYS; make the keys with: live-migration-prep keys --file sealing-keys.json',
  ],
  [
    'several credentials and no map of organizations',
    `${SINKS}atlas:\n  credentials: {a: ${API_KEY}, b: ${API_KEY}}\n`,
    { ...NO_CREDENTIAL, ...KEY_PAIR },
    'lmp.yaml:4 atlas.organizations: is missing: with several credentials (a, b), name the one of each organization, such as 64f1c0ffee5eed0000000a71: {credential: a, sinks: [drop]}',
  ],
  [
    'a credential beside the one of the environment and no map of organizations',
    `${SINKS}atlas:\n  credentials: {a: ${API_KEY}}\n  organizations:\n`,
    KEY_PAIR,
    'lmp.yaml:5 atlas.organizations: is missing: with several credentials (a, default), name the one of each organization, such as 64f1c0ffee5eed0000000a71: {credential: a, sinks: [drop]}',
  ],
  [
    'a credential named like the one of the environment',
    `${SINKS}atlas:\n  credentials:\n    default: ${API_KEY}\n`,
    KEY_PAIR,
    'lmp.yaml:5 atlas.credentials.default: is the name of the credential in the environment: rename this one',
  ],
  [
    'an empty map of organizations',
    `${SINKS}atlas:\n  organizations: {}\n`,
    {},
    'lmp.yaml:4 atlas.organizations: is empty, so no organization would be served: name one, or remove it',
  ],
  [
    'an organization id that is none',
    `${SINKS}atlas:\n  organizations:\n    Acme: {credential: default, sinks: [drop]}\n`,
    {},
    /^lmp\.yaml:5 atlas\.organizations\.Acme: is not 24 lower-case hexadecimal digits/,
  ],
  [
    'an organization without sinks',
    `${SINKS}atlas:\n  organizations:\n    ${ORG}: {credential: default, sinks: []}\n`,
    {},
    `lmp.yaml:5 atlas.organizations.${ORG}.sinks: is empty: write a value`,
  ],
  [
    'an organization with a text in place of a list',
    `${SINKS}atlas:\n  organizations:\n    ${ORG}: {credential: default, sinks: drop}\n`,
    {},
    `lmp.yaml:5 atlas.organizations.${ORG}.sinks: is not a list: write one`,
  ],
  [
    'an organization without a credential',
    `${SINKS}atlas:\n  organizations:\n    ${ORG}: {sinks: [drop]}\n`,
    {},
    `lmp.yaml:5 atlas.organizations.${ORG}.credential: is missing: write a string`,
  ],
  [
    'an organization with an unknown credential',
    `${SINKS}atlas:\n  organizations:\n    ${ORG}: {credential: nope, sinks: [drop]}\n`,
    {},
    `lmp.yaml:5 atlas.organizations.${ORG}.credential: nope is not configured: name one of default`,
  ],
  [
    'an organization with an unknown sink',
    `${SINKS}atlas:\n  organizations:\n    ${ORG}: {credential: default, sinks: [drop, nope]}\n`,
    {},
    `lmp.yaml:5 atlas.organizations.${ORG}.sinks.1: nope is not configured: name one of drop`,
  ],
];

describe('a configuration', () => {
  it.each(WRONG)('with %s is refused, where and why', (_what, yaml, env, problem) => {
    expect(problemsOf(yaml, env)).toEqual([
      typeof problem === 'string' ? problem : (expect.stringMatching(problem) as unknown),
    ]);
  });
});
