import { writeFileSync } from 'node:fs';
import { readTemporalSettings } from '../../../src/temporal/connection-settings';
import { temporaryFolder } from '../temporary-folder';

const CANARY = 'tmprl_CANARY';
const PROFILES = `[profile.default]
address = "one:7233"
[profile.cloud]
address = "two:7233"
api_key = "${CANARY}"
`;

const fileIn = temporaryFolder();

/**
 * Reads `TEMPORAL_*` variables, and a profile file with this text, if there is one, but never that
 * of the user.
 */
function read(variables: Record<string, string>, profiles?: string) {
  const env = Object.entries(variables).map(
    ([name, value]) => [`TEMPORAL_${name}`, value] as const,
  );
  const file = fileIn('temporal.toml');
  if (profiles !== undefined) {
    writeFileSync(file, profiles);
    env.push(['TEMPORAL_CONFIG_FILE', file]);
  }
  return readTemporalSettings({ HOME: fileIn(), ...Object.fromEntries(env) });
}

describe('the settings for Temporal', () => {
  it('come from the environment', () => {
    const [address, team] = ['temporal.example.com:7233', 'the payments team'];
    const environment = {
      ADDRESS: address,
      NAMESPACE: 'payments',
      API_KEY: CANARY,
      GRPC_META_TEAM: team,
    };
    expect(read(environment)).toMatchObject({
      address,
      namespace: 'payments',
      connectionOptions: { address, apiKey: CANARY, tls: true, metadata: { team } },
      secrets: [CANARY, team],
    });
  });

  it('come from the named profile, over which the environment takes precedence', () => {
    expect(read({}, PROFILES)).toMatchObject({ address: 'one:7233', secrets: [] });
    expect(read({ PROFILE: 'cloud' }, PROFILES)).toMatchObject({
      address: 'two:7233',
      secrets: [CANARY],
    });
    expect(read({ ADDRESS: 'three:7233' }, PROFILES)).toMatchObject({ address: 'three:7233' });
  });

  it('that are empty count as not set: the default is a server on this machine', () => {
    const names = 'ADDRESS NAMESPACE API_KEY TLS PROFILE CONFIG_FILE TLS_CLIENT_CERT_PATH'.split(
      ' ',
    );
    const { connectionOptions, ...settings } = read(
      Object.fromEntries(names.map((name) => [name, ''])),
    );
    expect(settings).toEqual({ address: 'localhost:7233', namespace: 'default', secrets: [] });
    expect(connectionOptions.tls).toBeUndefined();
  });

  const URL_WITH_SECRET = `http://user:${CANARY}@temporal:7233`;
  const NO_TABLE = `[profile]\ndefault = "${CANARY}"`;
  const UNQUOTED = `[profile.default]\napi_key = "${CANARY}\nnamespace = "n"`;

  it.each<[what: string, error: RegExp, variables: Record<string, string>, profiles?: string]>([
    [
      'a URL for an address',
      /^TEMPORAL_ADDRESS, .*is not an address: write host:port$/,
      { ADDRESS: URL_WITH_SECRET },
    ],
    [
      'a malformed flag',
      /^TEMPORAL_TLS is neither true nor false: write one of the two$/,
      { TLS: 'maybe' },
    ],
    [
      'a file that is not TOML',
      / \S+temporal\.toml in line 2: Invalid TOML document: \D+$/,
      {},
      UNQUOTED,
    ],
    ['a profile that is not a table', /: write tables such as \[profile\.default\]$/, {}, NO_TABLE],
    [
      'a missing file',
      / the profile file \/nowhere\.toml: ENOENT: /,
      { CONFIG_FILE: '/nowhere.toml' },
    ],
    ['a missing profile', / temporalio\/temporal\.toml: .*cloud.* not found/, { PROFILE: 'cloud' }],
  ])(
    'with %s are refused with the reason, and no secret is quoted',
    (_what, message, variables, ...[profiles]) => {
      const load = () => read(variables, profiles);
      expect(load).toThrow(message);
      expect(load).not.toThrow(/CANARY|\n/);
    },
  );
});
