import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { inspect } from 'node:util';
import { createAccess } from '../src/access';
import { ConfigError, loadConfig, type Config } from '../src/config';
import { makeKey } from '../src/sealing';

const ORG = '64f1c0ffee5eed0000000a71';
const KEYS = JSON.stringify({ keys: [makeKey(new Date())] });
const CANARY = 'CANARY-6f0c';
const SINKS = 'sinks:\n  drop: {type: file, directory: tokens}\n';
const ENV = {
  LIVE_MIGRATION_PREP_SEALING_KEYS: KEYS,
  MONGODB_ATLAS_CLIENT_ID: 'mdb_sa_id_1',
  MONGODB_ATLAS_CLIENT_SECRET: `${CANARY}-secret`,
};
const API_KEY_ENV = {
  MONGODB_ATLAS_PUBLIC_API_KEY: 'public',
  MONGODB_ATLAS_PRIVATE_API_KEY: `${CANARY}-private`,
};

type Env = Record<string, string | undefined>;

let folder: string;
beforeEach(() => (folder = mkdtempSync(path.join(os.tmpdir(), 'config-'))));
afterEach(() => rmSync(folder, { recursive: true }));

function write(name: string, content: string, mode = 0o600): string {
  const file = path.join(folder, name);
  writeFileSync(file, content);
  chmodSync(file, mode);
  return file;
}

function load(yaml: string, env: Env = {}): Config {
  return loadConfig({ ...ENV, ...env }, write('lmp.yaml', yaml));
}

/** The problems of a configuration, none of which may hold a secret. */
function problemsOf(yaml: string, env: Env = {}): string[] {
  try {
    load(yaml, env);
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigError);
    const shown = inspect(error, { showHidden: true, depth: 10 });
    expect(shown).not.toContain('CANARY');
    expect(shown).not.toContain(KEYS);
    return [...(error as ConfigError).problems];
  }
  return [];
}

describe('the smallest configuration', () => {
  it('is one sink, one credential and the sealing keys; all else has a default', () => {
    const { atlas, sinks, sealing, ...rest } = load(SINKS);
    expect(rest).toEqual({
      taskQueue: 'live-migration-prep',
      retries: {
        create: {
          initialIntervalMs: 1000,
          backoffCoefficient: 2,
          maximumIntervalMs: 60_000,
          giveUpAfterMs: 3_600_000,
        },
        deliver: {
          initialIntervalMs: 1000,
          backoffCoefficient: 2,
          maximumIntervalMs: 300_000,
          giveUpAfterMs: 86_400_000,
        },
      },
      worker: { maxConcurrentActivities: 100, maxActivitiesPerSecond: 100_000 },
      health: { host: '127.0.0.1', port: 8080 },
      log: { level: 'info' },
      warnings: [],
    });
    expect(atlas).toMatchObject({
      baseUrl: 'https://cloud.mongodb.com',
      requestTimeoutMs: 30_000,
      envelope: false,
      pretty: false,
      organizations: null,
    });
    expect([...atlas.credentials.keys()]).toEqual(['default']);
    expect([...sinks.keys()]).toEqual(['drop']);
    expect(sealing.keyIds).toHaveLength(1);
  });

  it('takes an API key for the service account', () => {
    const { atlas } = load(SINKS, {
      ...API_KEY_ENV,
      MONGODB_ATLAS_CLIENT_ID: undefined,
      MONGODB_ATLAS_CLIENT_SECRET: undefined,
    });
    const credential = atlas.credentials.get('default');
    expect(credential?.type === 'apiKey' && credential.privateKey.read()).toBe(`${CANARY}-private`);
  });

  it('is found by LIVE_MIGRATION_PREP_CONFIG, which --config overrides', () => {
    const fromEnv = write('env.yaml', `${SINKS}taskQueue: env\n`);
    const fromOption = write('option.yaml', `${SINKS}taskQueue: option\n`);
    const env = { ...ENV, LIVE_MIGRATION_PREP_CONFIG: fromEnv };
    expect(loadConfig(env).taskQueue).toBe('env');
    expect(loadConfig(env, fromOption).taskQueue).toBe('option');
  });

  it('takes empty variables for unset ones', () => {
    const env = {
      MONGODB_ATLAS_BASE_URL: '',
      MONGODB_ATLAS_PUBLIC_API_KEY: '',
      LIVE_MIGRATION_PREP_CONFIG: '',
    };
    expect(load(SINKS, env).atlas.baseUrl).toBe('https://cloud.mongodb.com');
    expect(() => loadConfig({ ...ENV, ...env })).toThrow(
      /live-migration-prep\.yaml cannot be read \(ENOENT\)/,
    );
  });

  it('shows no secret when it is logged', () => {
    expect(inspect(load(SINKS), { showHidden: true, depth: 10 })).not.toContain('CANARY');
  });
});

describe('credentials and organizations', () => {
  const MAPPED = `${SINKS}  other: {type: file, directory: other}
atlas:
  credentials:
    a: {type: serviceAccount, clientId: {env: A_ID}, clientSecret: {file: a.secret}}
    b: {type: apiKey, publicKey: {env: B_PUBLIC}, privateKey: {env: B_PRIVATE}}
  organizations:
    ${ORG}: {credential: b, sinks: [other]}
`;
  const env = { A_ID: 'id', B_PUBLIC: 'public', B_PRIVATE: `${CANARY}-b` };

  it('are read by reference, and the credential of the environment stands beside them', () => {
    write('a.secret', `${CANARY}-a\n`);
    const { credentials } = load(MAPPED, env).atlas;
    expect([...credentials.keys()]).toEqual(['a', 'b', 'default']);
    const a = credentials.get('a');
    expect(a?.type === 'serviceAccount' && a.clientSecret.read()).toBe(`${CANARY}-a`);
  });

  it('serve the organizations of the map and no other', () => {
    write('a.secret', CANARY);
    const { atlas, sinks } = load(MAPPED, env);
    const access = createAccess(atlas.organizations, [...atlas.credentials.keys()], [...sinks.keys()]);
    expect(access.credentialFor(ORG)).toBe('b');
    expect(access.sinksFor(ORG)).toEqual(['other']);
    expect(access.credentialFor('0'.repeat(24))).toBeNull();
    expect(access.sinksFor('0'.repeat(24))).toEqual([]);
  });

  it('without a map serve every organization with all sinks', () => {
    const { atlas, sinks } = load(SINKS);
    const access = createAccess(atlas.organizations, [...atlas.credentials.keys()], [...sinks.keys()]);
    expect(access.credentialFor('0'.repeat(24))).toBe('default');
    expect(access.sinksFor('0'.repeat(24))).toEqual(['drop']);
  });

  it('warn of a secret file that others can read', () => {
    const file = write('a.secret', CANARY, 0o644);
    expect(load(MAPPED, env).warnings).toEqual([`file ${file} can be read by others: chmod 600 it`]);
  });
});

describe('sealing keys', () => {
  it('are read from a file, which stands before the environment', () => {
    write('keys.json', JSON.stringify({ keys: [{ ...makeKey(new Date()), kid: 'of-the-file' }] }));
    expect(load(`${SINKS}sealing: {keys: {file: keys.json}}\n`).sealing.keyIds).toEqual(['of-the-file']);
  });

  it('in a file that others can read are a warning', () => {
    const file = write('keys.json', KEYS, 0o640);
    expect(load(`${SINKS}sealing: {keys: {file: keys.json}}\n`).warnings).toEqual([
      `file ${file} can be read by others: chmod 600 it`,
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
    const { atlas, warnings } = load(SINKS, { MONGODB_ATLAS_BASE_URL: url });
    expect([atlas.baseUrl, warnings]).toEqual([baseUrl, []]);
  });

  it('is a warning when secrets would cross the network in the clear', () => {
    const { warnings } = load(SINKS, { MONGODB_ATLAS_BASE_URL: 'http://atlas.example.com' });
    expect(warnings).toEqual([expect.stringContaining('in the clear')]);
  });

  it.each([
    'cloud.mongodb.com',
    'nonsense',
    'ftp://cloud.mongodb.com',
    'https://cloud.mongodb.com/api/atlas/v2',
    'https://cloud.mongodb.com/?x=1',
    'https://cloud.mongodb.com/#x',
    `https://user:${CANARY}@cloud.mongodb.com`,
  ])('may not be %s', (url) => {
    expect(problemsOf(SINKS, { MONGODB_ATLAS_BASE_URL: url })).toEqual([
      expect.stringMatching(/MONGODB_ATLAS_BASE_URL is not the address of a server, such as https:/),
    ]);
  });
});

const REFERENCE = `is not a reference to a secret: write {env: NAME} or {file: PATH}, never the secret`;

const WRONG: [what: string, yaml: string, env: Env, problem: string | RegExp][] = [
  ['no sinks', 'taskQueue: x\n', {}, /^lmp\.yaml sinks: name at least one sink$/],
  ['an empty file', '', {}, /^lmp\.yaml sinks: name at least one sink$/],
  ['an empty map of sinks', 'sinks: {}\n', {}, 'lmp.yaml:1 sinks: name at least one sink'],
  ['a list', '- a\n', {}, /^lmp\.yaml: .*expected object, received array/],
  ['a text', `${CANARY}\n`, {}, /^lmp\.yaml: .*expected object, received string/],
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
  ['a port out of range', `${SINKS}health:\n  port: 70000\n`, {}, /^lmp\.yaml:4 health\.port: .*65535/],
  [
    'a timeout that is a text',
    `${SINKS}atlas:\n  requestTimeoutMs: 30s\n`,
    {},
    /^lmp\.yaml:4 atlas\.requestTimeoutMs: /,
  ],
  ['an unknown log level', `${SINKS}log: {level: loud}\n`, {}, /^lmp\.yaml:3 log\.level: .*"info"/],
  [
    'a first wait longer than the longest, which Temporal would refuse',
    `${SINKS}retries:\n  create: {initialIntervalMs: 60001}\n`,
    {},
    'lmp.yaml:4 retries.create.maximumIntervalMs: is less than initialIntervalMs: raise it',
  ],
  [
    'no credential',
    SINKS,
    { MONGODB_ATLAS_CLIENT_ID: undefined, MONGODB_ATLAS_CLIENT_SECRET: undefined },
    /there is no credential: set MONGODB_ATLAS_CLIENT_ID and MONGODB_ATLAS_CLIENT_SECRET/,
  ],
  [
    'a service account without its secret',
    SINKS,
    { MONGODB_ATLAS_CLIENT_SECRET: undefined },
    /variable MONGODB_ATLAS_CLIENT_SECRET is not set or empty/,
  ],
  [
    'a service account without its id',
    SINKS,
    { MONGODB_ATLAS_CLIENT_ID: '' },
    /variable MONGODB_ATLAS_CLIENT_ID is not set or empty/,
  ],
  [
    'both kinds of credential',
    SINKS,
    API_KEY_ENV,
    /both a service account and an API key are in the environment: keep one/,
  ],
  [
    'a secret with white space',
    SINKS,
    { MONGODB_ATLAS_CLIENT_SECRET: `${CANARY} ` },
    /variable MONGODB_ATLAS_CLIENT_SECRET is not a credential: it holds white space or characters outside ASCII/,
  ],
  [
    'a secret with a line end',
    SINKS,
    { MONGODB_ATLAS_CLIENT_SECRET: `${CANARY}\r\nX-Header: 1` },
    /variable MONGODB_ATLAS_CLIENT_SECRET is not a credential/,
  ],
  [
    'a named secret outside ASCII',
    `${SINKS}atlas:\n  credentials:\n    a: {type: apiKey, publicKey: {env: P}, privateKey: {env: Q}}\n`,
    { P: 'p', Q: `${CANARY}ü` },
    /^lmp\.yaml:5 atlas\.credentials\.a\.privateKey: environment variable Q is not a credential/,
  ],
  [
    'a secret in place of a reference',
    `${SINKS}atlas:\n  credentials:\n    a:\n      type: serviceAccount\n      clientId: {env: P}\n      clientSecret: ${CANARY}\n`,
    { P: 'p' },
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
    {},
    /^lmp\.yaml:5 atlas\.credentials\.a\.type: /,
  ],
  [
    'no sealing key',
    SINKS,
    { LIVE_MIGRATION_PREP_SEALING_KEYS: undefined },
    /LIVE_MIGRATION_PREP_SEALING_KEYS is not set or empty: set it, or name a file under sealing\.keys; make one with: live-migration-prep keys --file sealing-keys\.json$/,
  ],
  [
    'broken sealing keys, with the mend said once',
    SINKS,
    { LIVE_MIGRATION_PREP_SEALING_KEYS: `{"keys":[{"k":"${CANARY}` },
    /the sealing keys are not JSON; make one with: live-migration-prep keys --file sealing-keys\.json$/,
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
    /^lmp\.yaml:5 atlas\.organizations\.64f1c0ffee5eed0000000a71\.sinks: /,
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

const BROKEN: [what: string, yaml: string, line: number][] = [
  ['a tab', `sinks:\n\tdrop: ${CANARY}\n`, 2],
  ['a key twice', `${SINKS}taskQueue: ${CANARY}\ntaskQueue: ${CANARY}\n`, 4],
  ['a bracket too many', `${SINKS}taskQueue: x\n}${CANARY}\n`, 4],
  ['a text behind a block header', `${SINKS}taskQueue: |${CANARY} ${CANARY}\n`, 3],
  ['an open quote', `${SINKS}taskQueue: "${CANARY}\n`, 4],
  ['a reserved character', `${SINKS}taskQueue: @${CANARY}\n`, 3],
];

describe('a configuration', () => {
  it.each(WRONG)('with %s is refused, where and why', (_what, yaml, env, problem) => {
    expect(problemsOf(yaml, env)).toEqual([
      typeof problem === 'string' ? problem : (expect.stringMatching(problem) as unknown),
    ]);
  });

  it.each(BROKEN)('that is no YAML for %s is refused with the line, and not quoted', (_what, yaml, line) => {
    const problems = problemsOf(yaml);
    expect(problems.length).toBeGreaterThan(0);
    for (const problem of problems) expect(problem).toMatch(/^lmp\.yaml:\d+ \S+ \S+/);
    expect(problems.some((problem) => problem.startsWith(`lmp.yaml:${line} `))).toBe(true);
  });

  it('with a text that starts with * is refused, and not quoted', () => {
    expect(problemsOf(`${SINKS}taskQueue: *${CANARY}\n`)).toEqual([
      expect.stringContaining('quote a text that starts with *'),
    ]);
  });

  it('that is not there is refused with both ways to name it', () => {
    expect(() => loadConfig(ENV, path.join(folder, 'nope.yaml'))).toThrow(
      /nope\.yaml cannot be read \(ENOENT\): name the configuration file with --config or LIVE_MIGRATION_PREP_CONFIG/,
    );
  });

  it('with many problems names all of them at once', () => {
    const yaml = `taskQueu: x
sinks:
  drop: {type: file, directory: d}
  bad: {type: file}
atlas:
  prety: true
  requestTimeoutMs: 1
  credentials:
    a: {type: serviceAccount, clientId: {env: NOPE}, clientSecret: ${CANARY}}
  organizations:
    ${ORG}: {credential: default, sinks: [drop]}
    UPPER: {credential: default, sinks: [drop]}
health: {port: -1}
sealing: {keys: {file: nope.json}}
retries: {deliver: {backoffCoefficient: 0.5}}
`;
    const env = { MONGODB_ATLAS_BASE_URL: 'nonsense', MONGODB_ATLAS_CLIENT_SECRET: undefined };
    const places = problemsOf(yaml, env).map((problem) => problem.slice(0, problem.indexOf(': ')));
    expect(places.sort()).toEqual(
      [
        'lmp.yaml:1 taskQueu',
        'lmp.yaml:4 sinks.bad.directory',
        'lmp.yaml:6 atlas',
        'lmp.yaml:6 atlas.prety',
        'lmp.yaml:7 atlas.requestTimeoutMs',
        'lmp.yaml:9 atlas.credentials',
        'lmp.yaml:9 atlas.credentials.a.clientId',
        'lmp.yaml:9 atlas.credentials.a.clientSecret',
        'lmp.yaml:12 atlas.organizations.UPPER',
        'lmp.yaml:13 health.port',
        'lmp.yaml:14 sealing.keys',
        'lmp.yaml:15 retries.deliver.backoffCoefficient',
      ].sort(),
    );
  });

  it('names an unknown sink of an organization beside problems elsewhere', () => {
    const yaml = `${SINKS}atlas:
  pretty: perhaps
  organizations:
    ${ORG}: {credential: default, sinks: [nope]}
log: {level: loud}
`;
    expect(problemsOf(yaml).map((problem) => problem.split(':').slice(0, 2).join(':'))).toEqual([
      'lmp.yaml:4 atlas.pretty',
      'lmp.yaml:7 log.level',
      `lmp.yaml:6 atlas.organizations.${ORG}.sinks.0`,
    ]);
  });
});
