import { writeFileSync } from 'node:fs';
import { readTemporalSettings } from '../../../src/temporal/settings';
import { certificateFor, type Certificate } from '../../support/servers';
import { temporaryFolder } from '../temporary-folder';

const CANARY = 'tmprl_CANARY';
const SECRET = `api_key = "${CANARY}"`;

const fileIn = temporaryFolder();
let pair: Certificate;
beforeAll(async () => void (pair = await certificateFor()));

function profileFile(...lines: string[]) {
  writeFileSync(fileIn('temporal.toml'), lines.join('\n'));
  return { TEMPORAL_CONFIG_FILE: fileIn('temporal.toml') };
}

/** Reads settings without the profile file of the user that runs this. */
const read = (env: NodeJS.ProcessEnv) => readTemporalSettings({ HOME: fileIn(), ...env });

describe('the settings for Temporal', () => {
  it('come from the environment', () => {
    const address = 'temporal.example.com:7233';
    const settings = read({
      TEMPORAL_ADDRESS: address,
      TEMPORAL_NAMESPACE: 'payments',
      TEMPORAL_API_KEY: CANARY,
      TEMPORAL_GRPC_META_TEAM: 'the payments team',
    });
    expect(settings).toMatchObject({
      address,
      namespace: 'payments',
      connectionOptions: { address, apiKey: CANARY, tls: true, metadata: { team: 'the payments team' } },
    });
    expect(new Set(settings.secrets)).toEqual(new Set([CANARY, 'the payments team']));
  });

  it('come from the profile that is named, and the environment wins', () => {
    const cloud = ['[profile.cloud]', 'address = "two:7233"', SECRET];
    const file = profileFile('[profile.default]', 'address = "one:7233"', ...cloud);
    expect(read(file)).toMatchObject({ address: 'one:7233', secrets: [] });
    const named = read({ ...file, TEMPORAL_PROFILE: 'cloud' });
    expect(named).toMatchObject({ address: 'two:7233', secrets: [CANARY] });
    expect(read({ ...file, TEMPORAL_ADDRESS: 'three:7233' })).toMatchObject({ address: 'three:7233' });
  });

  it('that are empty count as not set: the default is a server on this machine', () => {
    const names = 'ADDRESS NAMESPACE API_KEY TLS PROFILE CONFIG_FILE TLS_CLIENT_CERT_PATH'.split(' ');
    const { connectionOptions, ...settings } = read(
      Object.fromEntries(names.map((name) => [`TEMPORAL_${name}`, ''])),
    );
    expect(settings).toEqual({ address: 'localhost:7233', namespace: 'default', secrets: [] });
    expect(connectionOptions.tls).toBeUndefined();
  });
});

const ADDRESS = /^TEMPORAL_ADDRESS, or address in the profile file, is not an address: write host:port$/;
const NO_TABLES = /: write tables such as \[profile\.default\]$/;
const DEFAULT_PROFILE = '[profile.default]';

/** An error, variables without `TEMPORAL_` that lead to it, and the lines of the profile file, if there is one. */
const WRONG: [error: RegExp, env: Record<string, string>, ...profile: string[]][] = [
  [ADDRESS, { ADDRESS: `http://user:${CANARY}@temporal:7233` }],
  [/^TEMPORAL_TLS is neither true nor false: write one of the two$/, { TLS: 'maybe' }],
  [
    /^the TEMPORAL_\* variables and the profile file \S+temporal\.toml cannot be used in line 2: Invalid TOML document: \D+$/,
    {},
    ...[DEFAULT_PROFILE, `api_key = "${CANARY}`, 'namespace = "n"'],
  ],
  [NO_TABLES, {}, '[profile]', `default = "${CANARY}"`],
  [/ the profile file \/nowhere\.toml cannot be used: ENOENT: /, { CONFIG_FILE: '/nowhere.toml' }],
  [/temporal\.toml cannot be used: .*cloud.* not found/, { PROFILE: 'cloud' }, DEFAULT_PROFILE, SECRET],
  [/ profile file temporalio\/temporal\.toml cannot be used: .*cloud.* not found/, { PROFILE: 'cloud' }],
  [/ cannot be used: .*\/nowhere\.pem/, { TLS_CLIENT_CERT_PATH: '/nowhere.pem', TLS_CLIENT_KEY_DATA: 'KEY' }],
];

it.each(WRONG)('an error names what to correct and quotes no secret: %s', (message, env, ...profile) => {
  const settings: NodeJS.ProcessEnv = profile.length > 0 ? profileFile(...profile) : {};
  for (const [name, value] of Object.entries(env))
    settings[`TEMPORAL_${name}`] = value === 'KEY' ? pair.key : value;
  const load = () => read(settings);
  expect(load).toThrow(message);
  expect(load).not.toThrow(/CANARY|\n/);
  expect(load).not.toThrow(pair.key.split('\n')[1]);
});
