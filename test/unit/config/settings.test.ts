import { ORG } from '../samples';
import { CANARY, KEYS, SINKS, problemsOf, type Env } from './configuration';

const SHORTER = 'is less than initialIntervalMs: raise it';
const SUCH_AS =
  'assign one to each organization,' + ` such as ${ORG}: {credential: default, sinks: [drop]}`;

/** Take away what the environment holds. */
const NO_CREDENTIAL = {
  MONGODB_ATLAS_CLIENT_ID: undefined,
  MONGODB_ATLAS_CLIENT_SECRET: undefined,
};
const NO_KEYS = { LIVE_MIGRATION_PREP_SEALING_KEYS: '' };
const KEY_PAIR = { P: 'public', Q: CANARY };
const ONLY_FILE = { ...NO_CREDENTIAL, ...KEY_PAIR };
const NOT_ASCII = { ...NO_CREDENTIAL, P: 'public', Q: `${CANARY}ü` };

const apiKey = '{type: apiKey, publicKey: {env: P}, privateKey: {env: Q}}';
const keyWith = (id: string, secret: string) =>
  `a: {type: apiKey, publicKey: ${id}, privateKey: ${secret}}`;
const credentials = (list: string) => `atlas: {credentials: {${list}}}`;
const SECRET_AS_ID = credentials(keyWith('mdb_sa_sk_CANARY', '{env: Q}'));
const organization = (settings: string) => `atlas: {organizations: {${ORG}: {${settings}}}}`;

it.each<[problem: string, yaml: string, env?: Env]>([
  ['retries.giveUpMs: is not a setting: correct or remove it', 'retries: {giveUpMs: 1}'],
  [
    'sinks.a/b: is not a valid sink name: write at most 63 letters, digits, . _ and -',
    '  a/b: {type: file, directory: d}',
  ],
  ['taskQueue: is blank or has control characters', 'taskQueue: "  "'],
  ['taskQueue: is blank or has control characters', 'taskQueue: "a\\e[2J"'],
  [
    'Too big: expected string to have <=200 characters',
    credentials(`${'a'.repeat(201)}: ${apiKey}`),
    ONLY_FILE,
  ],
  ['metrics.host: is not an IP address', 'metrics: {host: localhost}'],
  ['log.level: Invalid option: expected one of', 'log: {level: warn}'],

  // Temporal would refuse these.
  [`retries.maximumIntervalMs: ${SHORTER}`, 'retries: {initialIntervalMs: 60001}'],

  ['atlas.credentials: there is no credential: set MONGODB_ATLAS_CLIENT_ID and', '', NO_CREDENTIAL],
  [
    'a.privateKey: environment variable Q is not a credential',
    credentials(`a: ${apiKey}`),
    NOT_ASCII,
  ],
  ['a.publicKey: is not an id or an address: write it', SECRET_AS_ID, ONLY_FILE],
  ['a.privateKey: is not a reference', credentials(keyWith('id', CANARY)), NO_CREDENTIAL],
  [
    'a.type: is not a type of credential: write',
    credentials(`a: {type: ${CANARY}}`),
    NO_CREDENTIAL,
  ],
  ["atlas.baseUrl: is not a server's address", 'atlas: {baseUrl: cloud.mongodb.com}'],
  ['sealing.keys: is not a reference to a secret: write', `sealing: {keys: ${KEYS}}`],
  [
    'sealing.keys: is missing: name a file, or set LIVE_MIGRATION_PREP_SEALING_KEYS; for a first',
    '',
    NO_KEYS,
  ],
  [
    'nope.json cannot be read (ENOENT): correct its path, permit the worker to read it, or for a first',
    'sealing: {keys: {file: nope.json}}',
  ],

  [
    `is missing: with several credentials (default, a), ${SUCH_AS}`,
    credentials(`a: ${apiKey}`),
    KEY_PAIR,
  ],
  [
    'lmp.yaml:4 sealing: has a key that looks like a secret: write {env: NAME}',
    'sealing:\n  mdb_sa_sk_CANARY: x',
  ],
  ['atlas.organizations: is empty, so it serves no organization', 'atlas: {organizations: {}}'],
  [`${ORG}.sinks: Too small`, organization('credential: default, sinks: []')],
  [`${ORG}.credential: is not configured`, organization('credential: nope, sinks: [drop]')],
])('a configuration is refused: %s', (problem, yaml, env = {}) => {
  expect(problemsOf(`${SINKS}${yaml}\n`, env)).toEqual([expect.stringContaining(problem)]);
});

it.each([
  ['', ' sinks: name at least one sink, such as `drop: {type: file, directory: …}`'],
  ['sinks: {}', ':1 sinks: name at least one sink, such as `drop: {type: file, directory: …}`'],
  [
    'sinks: [{type: file}]',
    ':1 sinks: name at least one sink, such as `drop: {type: file, directory: …}`',
  ],
  [CANARY, ': Invalid input: expected object, received string'],
  ['sinks:\n  a: {type: file}', ':2 sinks.a.directory: name the directory for the tokens'],
])('a file that holds %j is refused: lmp.yaml%s', (yaml, problem) => {
  expect(problemsOf(`${yaml}\n`)).toEqual([`lmp.yaml${problem}`]);
});

const LEAST = `
atlas: {requestTimeoutMs: 100}
retries:
  {initialIntervalMs: 1, giveUpAfterMs: 1000, roundMs: 1000}
worker: {maxConcurrentActivities: 1, heartbeatTimeoutMs: 10000}
schedules: {minimumTokenAgeMs: 0}
health: {port: 0}
metrics: {port: 1}
`;
const GREATEST = `
atlas: {requestTimeoutMs: 300000}
retries:
  maximumIntervalMs: 21600000
  giveUpAfterMs: 2592000000
  roundMs: 2592000000
worker: {maxConcurrentActivities: 10000}
health: {port: 65535}
metrics: {port: 65535}
`;

it.each([
  ['minimum', 'small', LEAST, -1],
  ['maximum', 'big', GREATEST, 1],
])(
  'each number with a %s accepts it, and refuses any beyond as too %s',
  (_bound, extreme, settings, step) => {
    expect(problemsOf(SINKS + settings)).toEqual([]);
    const beyond = settings.replace(/\d+/g, (value) => String(Number(value) + step));
    expect(problemsOf(SINKS + beyond)).toEqual(
      settings
        .match(/\w+(?=: \d)/g)
        ?.map((name): unknown => expect.stringContaining(`.${name}: Too ${extreme}: `)),
    );
  },
);
