import { generateKeyPairSync } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { TemporalSettingsError, readTemporalSettings } from '../../../src/temporal/settings';
import { certificateFor, type Certificate } from '../../support/servers';
import { temporaryFolder } from '../temporary-folder';

const CANARY = 'tmprl_CANARY';

const fileIn = temporaryFolder();
let pair: Certificate;
beforeAll(async () => void (pair = await certificateFor()));

function profileFile(...lines: string[]) {
  writeFileSync(fileIn('temporal.toml'), lines.join('\n'));
  return { TEMPORAL_CONFIG_FILE: fileIn('temporal.toml') };
}

/** Without the profile file of whoever runs this. */
const read = (env: NodeJS.ProcessEnv) => readTemporalSettings({ HOME: fileIn(), ...env });

describe('the settings for Temporal', () => {
  it('are those of a server on this machine when there are none', () => {
    expect(read({})).toMatchObject({ address: 'localhost:7233', namespace: 'default', secrets: [] });
  });

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
    const cloud = ['[profile.cloud]', 'address = "two:7233"', `api_key = "${CANARY}"`];
    const file = profileFile('[profile.default]', 'address = "one:7233"', ...cloud);
    expect(read(file)).toMatchObject({ address: 'one:7233', secrets: [] });
    const named = read({ ...file, TEMPORAL_PROFILE: 'cloud' });
    expect(named).toMatchObject({ address: 'two:7233', secrets: [CANARY] });
    expect(read({ ...file, TEMPORAL_ADDRESS: 'three:7233' })).toMatchObject({ address: 'three:7233' });
  });

  it('that are empty count as not set', () => {
    const names = 'ADDRESS NAMESPACE API_KEY TLS PROFILE CONFIG_FILE TLS_CLIENT_CERT_PATH'.split(' ');
    const { connectionOptions, ...settings } = read(
      Object.fromEntries(names.map((name) => [`TEMPORAL_${name}`, ''])),
    );
    expect(settings).toEqual({ address: 'localhost:7233', namespace: 'default', secrets: [] });
    expect(connectionOptions.tls).toBeUndefined();
  });

  it('take a header away that is empty', () => {
    const file = profileFile('[profile.default.grpc_meta]', `authorization = "${CANARY}"`);
    expect(read(file).secrets).toEqual([CANARY]);
    expect(read({ ...file, TEMPORAL_GRPC_META_AUTHORIZATION: '' }).secrets).toEqual([]);
  });

  it.each([
    ['true', expect.objectContaining({})],
    ['1', expect.objectContaining({})],
    ['false', false],
    ['0', false],
  ])('turn TLS on or off: %s', (value, tls) => {
    expect(read({ TEMPORAL_TLS: value }).connectionOptions.tls).toEqual(tls);
  });

  it('hold a certificate and its key, from files or variables', () => {
    writeFileSync(fileIn('cert.pem'), pair.cert);
    const { connectionOptions } = read({
      TEMPORAL_TLS_CLIENT_CERT_PATH: fileIn('cert.pem'),
      TEMPORAL_TLS_CLIENT_KEY_DATA: pair.key,
      TEMPORAL_TLS_SERVER_CA_CERT_PATH: fileIn('cert.pem'),
    });
    const { clientCertPair } = connectionOptions.tls as {
      clientCertPair?: { crt: Uint8Array; key: Uint8Array };
    };
    expect(Buffer.from(clientCertPair?.crt ?? []).toString()).toBe(pair.cert);
    expect(Buffer.from(clientCertPair?.key ?? []).toString()).toBe(pair.key);
  });

  it('are not read from TLS files while TLS is off', () => {
    const settings = read({ TEMPORAL_TLS: 'false', TEMPORAL_TLS_CLIENT_CERT_PATH: '/nowhere' });
    expect(settings.connectionOptions.tls).toBe(false);
  });
});

const API_KEY = /^TEMPORAL_API_KEY, or api_key in the profile file, is not an API key/;
const NOT_VALID =
  /^the profile file \S+temporal\.toml is not valid: write tables such as \[profile\.default\]$/;
const ADDRESS = /^TEMPORAL_ADDRESS, or address in the profile file, is not an address: write host:port$/;

/** An error, variables without `TEMPORAL_` that lead to it, and the lines of the profile file, if there is one. */
const WRONG: [error: RegExp, env: Record<string, string>, ...profile: string[]][] = [
  [/^TEMPORAL_API_KEY, .* an API key: it holds white space .* a line end$/, { API_KEY: `${CANARY}\n` }],
  [/^TEMPORAL_API_KEY, .*outside ASCII/, { API_KEY: `${CANARY}ü` }],
  [API_KEY, {}, '[profile.default]', `api_key = ["${CANARY}"]`],
  [
    /^TEMPORAL_GRPC_META_AUTHORIZATION, or grpc_meta\.authorization in the profile file, is not a gRPC header/,
    { GRPC_META_AUTHORIZATION: `Bearer ${CANARY}\r\n` },
  ],
  [/^TEMPORAL_GRPC_META_X_TOKEN, /, {}, '[profile.default.grpc_meta]', `X_Token = "${CANARY}ü"`],
  [ADDRESS, { ADDRESS: `http://user:${CANARY}@temporal:7233` }],
  [ADDRESS, {}, '[profile.default]', 'address = 7233'],
  [/^TEMPORAL_NAMESPACE, .* is not a namespace$/, { NAMESPACE: 'a\n' }],
  [/^TEMPORAL_TLS is neither true nor false: write one of the two$/, { TLS: 'maybe' }],
  [/^TEMPORAL_TLS_DISABLE_HOST_VERIFICATION is neither/, { TLS_DISABLE_HOST_VERIFICATION: CANARY }],
  [
    /^TEMPORAL_TLS_DISABLE_HOST_VERIFICATION is not supported: set TEMPORAL_TLS_SERVER_NAME /,
    { TLS_DISABLE_HOST_VERIFICATION: 'true' },
  ],

  [
    /^the profile file \S+temporal\.toml is not valid TOML in line 3: correct it$/,
    {},
    ...['[profile.default]', 'address = "one:7233"', `api_key = "${CANARY}`, 'namespace = "n"'],
  ],
  [/^the profile file \S+ is not valid TOML in line 1: /, {}, CANARY],
  [NOT_VALID, {}, '[profile]', `default = "${CANARY}"`],
  [NOT_VALID, {}, `api_key = "${CANARY}"`],
  [
    /^the profile file \/nowhere\.toml cannot be read \(ENOENT\): correct TEMPORAL_CONFIG_FILE$/,
    { CONFIG_FILE: '/nowhere.toml' },
  ],
  [/^the profile file \/ cannot be read \(EISDIR\)/, { CONFIG_FILE: '/' }],
  [
    /^TEMPORAL_PROFILE names profile cloud, which is not in \S+temporal\.toml: correct one of the two$/,
    { PROFILE: 'cloud' },
    ...['[profile.default]', `api_key = "${CANARY}"`],
  ],
  [
    /^TEMPORAL_PROFILE names profile cloud, which is not in temporalio\/temporal\.toml in this user/,
    { PROFILE: 'cloud' },
  ],

  [
    /^TEMPORAL_TLS_CLIENT_CERT_PATH, \/nowhere\.pem, cannot be read \(ENOENT\): correct the path$/,
    { TLS_CLIENT_CERT_PATH: '/nowhere.pem', TLS_CLIENT_KEY_DATA: 'KEY' },
  ],
  [
    /^tls\.client_key_path in the profile file, \/nowhere\.key, cannot be read \(ENOENT\): correct the path$/,
    { TLS_CLIENT_CERT_DATA: 'CERTIFICATE' },
    ...['[profile.default.tls]', 'client_key_path = "/nowhere.key"'],
  ],
  [
    /^TEMPORAL_TLS_SERVER_CA_CERT_DATA holds no certificate in PEM: correct it$/,
    { TLS_SERVER_CA_CERT_DATA: CANARY },
  ],
  [
    /^TEMPORAL_TLS_CLIENT_KEY_DATA holds no private key without a passphrase in PEM: correct it$/,
    { TLS_CLIENT_CERT_DATA: 'CERTIFICATE', TLS_CLIENT_KEY_DATA: CANARY },
  ],
  [
    /^Temporal's TLS settings have a client_key that is not the one of client_cert/,
    { TLS_CLIENT_CERT_DATA: 'CERTIFICATE', TLS_CLIENT_KEY_DATA: 'OTHER KEY' },
  ],
  [/ have no client_cert beside client_key: name both or neither$/, { TLS_CLIENT_KEY_DATA: 'KEY' }],
  [/ have no client_key beside client_cert: name both or neither$/, { TLS_CLIENT_CERT_DATA: 'CERTIFICATE' }],
  [
    /^Temporal's TLS settings name both client_key_path and client_key_data: keep one of the two$/,
    { TLS_CLIENT_KEY_PATH: '/nowhere.key' },
    ...['[profile.default.tls]', `client_key_data = "${CANARY}"`],
  ],
];

describe('an error names what to correct and quotes no secret:', () => {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const otherKey = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();

  it.each(WRONG)('%s', (message, env, ...profile) => {
    const pem: Record<string, string> = { CERTIFICATE: pair.cert, KEY: pair.key, 'OTHER KEY': otherKey };
    const settings: NodeJS.ProcessEnv = profile.length > 0 ? profileFile(...profile) : {};
    for (const [name, value] of Object.entries(env)) settings[`TEMPORAL_${name}`] = pem[value] ?? value;
    const load = () => read(settings);
    expect(load).toThrow(TemporalSettingsError);
    expect(load).toThrow(message);
    expect(load).not.toThrow(/CANARY|\n/);
    expect(load).not.toThrow(pair.key.split('\n')[1]);
  });
});
