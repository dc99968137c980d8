import { inspect } from 'node:util';
import { loadConfig } from '../../../src/config';
import { makeKey } from '../../../src/secrets/sealing';
import { CANARY, ENV, KEYS, ORG, SINKS, load, problemsOf, write } from './configuration';

describe('the smallest configuration', () => {
  it('is one sink, one credential and the sealing keys; all else has a default', () => {
    const { atlas, sinks, sealing, ...rest } = load(SINKS);
    const backoff = { initialIntervalMs: 1000, backoffCoefficient: 2, maximumIntervalMs: 60_000 };
    expect(rest).toEqual({
      taskQueue: 'live-migration-prep',
      retries: {
        create: { ...backoff, giveUpAfterMs: 3_600_000 },
        deliver: { ...backoff, roundMs: 120_000, firstPauseMs: 60_000, maximumPauseMs: 21_600_000 },
      },
      worker: { maxConcurrentActivities: 100, heartbeatTimeoutMs: 10_000 },
      metrics: null,
      schedules: { minimumTokenAgeMs: 604_800_000 },
      deployment: null,
      health: { host: '127.0.0.1', port: 8080 },
      log: { level: 'info' },
      warnings: [],
    });
    const flags = { envelope: false, pretty: false, organizations: null };
    expect(atlas).toMatchObject({ baseUrl: 'https://cloud.mongodb.com', requestTimeoutMs: 30_000, ...flags });
    expect([...atlas.credentials.keys()]).toEqual(['default']);
    expect([...sinks.keys()]).toEqual(['drop']);
    expect(sealing.keyIds()).toHaveLength(1);
    expect(inspect(load(SINKS), { showHidden: true, depth: 10 })).not.toContain('CANARY');
  });

  it('is found by LIVE_MIGRATION_PREP_CONFIG, which --config overrides', () => {
    const fromEnv = write('env.yaml', `${SINKS}taskQueue: env\n`);
    const fromOption = write('option.yaml', `${SINKS}taskQueue: option\n`);
    const env = { ...ENV, LIVE_MIGRATION_PREP_CONFIG: fromEnv };
    expect(loadConfig(env).taskQueue).toBe('env');
    expect(loadConfig(env, fromOption).taskQueue).toBe('option');
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

  it('are read by reference, beside the credential of the environment', () => {
    write('a.secret', `${CANARY}-a\n`);
    const { credentials, organizations } = load(MAPPED, env).atlas;
    expect([...credentials.keys()]).toEqual(['a', 'b', 'default']);
    const a = credentials.get('a');
    expect(a?.type === 'serviceAccount' && a.clientSecret.read()).toBe(`${CANARY}-a`);
    expect(organizations).toEqual(new Map([[ORG, { credential: 'b', sinks: ['other'] }]]));
  });

  it('may share one anchor, with ids that YAML would read as numbers', () => {
    const ids = ['123456789012345678901234', '12345678901234567890e123'];
    const lines = ids.map(
      (id, i) => `    ${id}: ${i === 0 ? '&one {credential: default, sinks: [drop]}' : '*one'}\n`,
    );
    const { organizations } = load(`${SINKS}atlas:\n  organizations:\n${lines.join('')}`).atlas;
    const one = { credential: 'default', sinks: ['drop'] };
    expect([...(organizations ?? [])]).toEqual(ids.map((id) => [id, one]));
  });

  it('and sealing keys warn of a secret file that others can read', () => {
    const files = [write('a.secret', CANARY, 0o644), write('keys.json', KEYS, 0o644)];
    expect(load(`${MAPPED}sealing: {keys: {file: keys.json}}\n`, env).warnings).toEqual(
      files.map((file) => `file ${file} can be read by others: run chmod o= on it`),
    );
  });
});

test('sealing keys are read from a file, which stands before the environment', () => {
  write('keys.json', JSON.stringify({ keys: [{ ...makeKey(new Date()), kid: 'of-the-file' }] }));
  expect(load(`${SINKS}sealing: {keys: {file: keys.json}}\n`).sealing.keyIds()).toEqual(['of-the-file']);
});

it('a configuration with many problems names all of them at once', () => {
  const yaml = `taskQueu: x
sinks:
  drop: {type: file, directory: d}
  bad: {type: file}
atlas:
  prety: true
  pretty: perhaps
  requestTimeoutMs: 1
  credentials:
    a: {type: serviceAccount, clientId: {env: NOPE}, clientSecret: ${CANARY}}
  organizations:
    ${ORG}: {credential: default, sinks: [nope]}
    UPPER: {credential: default, sinks: [drop]}
health: {port: -1}
sealing: {keys: {file: nope.json}}
retries: {deliver: {backoffCoefficient: 0.5}}
`;
  const env = { MONGODB_ATLAS_BASE_URL: 'nonsense', MONGODB_ATLAS_CLIENT_SECRET: undefined };
  const places = problemsOf(yaml, env).map((problem) => problem.replace(/^lmp\.yaml|(:| is) .*$/g, ''));
  expect(places.sort()).toEqual(
    [
      ':1 taskQueu',
      `:12 atlas.organizations.${ORG}.sinks.0`,
      ':13 atlas.organizations.UPPER',
      ':14 health.port',
      ':15 sealing.keys',
      ':16 retries.deliver.backoffCoefficient',
      ':4 sinks.bad.directory',
      ':6 atlas.prety',
      ':7 atlas.pretty',
      ':8 atlas.requestTimeoutMs',
      ':10 atlas.credentials.a.clientId',
      ':10 atlas.credentials.a.clientSecret',
      'environment variable MONGODB_ATLAS_BASE_URL',
      'environment variable MONGODB_ATLAS_CLIENT_SECRET',
    ].sort(),
  );
});
