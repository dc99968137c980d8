import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { TemporalSettingsError, readTemporalSettings } from '../../../src/temporal/settings';
import { certificateFor, type Certificate } from '../../support/servers';

const CANARY = 'tmprl_CANARY';

let folder: string;
let pair: Certificate;
beforeAll(async () => {
  folder = mkdtempSync(path.join(os.tmpdir(), 'temporal-settings-'));
  pair = await certificateFor();
});
afterAll(() => rmSync(folder, { recursive: true }));

function fileOf(content: string, name = 'temporal.toml'): string {
  const file = path.join(folder, name);
  writeFileSync(file, content);
  return file;
}

const profileFile = (...lines: string[]) => ({ TEMPORAL_CONFIG_FILE: fileOf(lines.join('\n')) });

/** Without the profile file of whoever runs this. */
const read = (env: NodeJS.ProcessEnv) => readTemporalSettings({ HOME: folder, ...env });

const errorOf = (env: NodeJS.ProcessEnv): Error => {
  try {
    read(env);
  } catch (error) {
    expect(error).toBeInstanceOf(TemporalSettingsError);
    return error as Error;
  }
  throw new Error('nothing was wrong');
};

describe('the settings for Temporal', () => {
  it('are those of a server on this machine when there are none', () => {
    expect(read({})).toMatchObject({ address: 'localhost:7233', namespace: 'default', secrets: [] });
  });

  it('come from the environment', () => {
    const settings = read({
      TEMPORAL_ADDRESS: 'temporal.example.com:7233',
      TEMPORAL_NAMESPACE: 'payments',
      TEMPORAL_API_KEY: CANARY,
      TEMPORAL_GRPC_META_TEAM: 'the payments team',
    });
    expect(settings).toMatchObject({
      address: 'temporal.example.com:7233',
      namespace: 'payments',
      connectionOptions: {
        address: 'temporal.example.com:7233',
        apiKey: CANARY,
        tls: true,
        metadata: { team: 'the payments team' },
      },
    });
    expect(new Set(settings.secrets)).toEqual(new Set([CANARY, 'the payments team']));
  });

  it('come from the profile that is named, and the environment wins', () => {
    const file = profileFile(
      '[profile.default]',
      'address = "one:7233"',
      '[profile.cloud]',
      'address = "two:7233"',
      `api_key = "${CANARY}"`,
    );
    expect(read(file)).toMatchObject({ address: 'one:7233', secrets: [] });
    expect(read({ ...file, TEMPORAL_PROFILE: 'cloud' })).toMatchObject({
      address: 'two:7233',
      secrets: [CANARY],
    });
    expect(read({ ...file, TEMPORAL_ADDRESS: 'three:7233' })).toMatchObject({ address: 'three:7233' });
  });

  it('that are empty count as not set', () => {
    const names = [
      'ADDRESS',
      'NAMESPACE',
      'API_KEY',
      'TLS',
      'PROFILE',
      'CONFIG_FILE',
      'TLS_CLIENT_CERT_PATH',
    ];
    const { connectionOptions, ...settings } = read(
      Object.fromEntries(names.map((n) => [`TEMPORAL_${n}`, ''])),
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
    ['true', {}],
    ['1', {}],
    ['false', false],
    ['0', false],
  ])('turn TLS on or off: %s', (value, tls) => {
    const settings = read({ TEMPORAL_TLS: value });
    expect(settings.connectionOptions.tls).toEqual(tls && expect.objectContaining(tls));
  });

  it('hold a certificate and its key, from files or variables', () => {
    const certFile = fileOf(pair.cert, 'cert.pem');
    const { connectionOptions } = read({
      TEMPORAL_TLS_CLIENT_CERT_PATH: certFile,
      TEMPORAL_TLS_CLIENT_KEY_DATA: pair.key,
      TEMPORAL_TLS_SERVER_CA_CERT_PATH: certFile,
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

describe('an error names what to correct and quotes no secret:', () => {
  it.each<[what: string, env: () => NodeJS.ProcessEnv, message: RegExp | string]>([
    [
      'an API key with a line end',
      () => ({ TEMPORAL_API_KEY: `${CANARY}\n` }),
      /^TEMPORAL_API_KEY, or api_key in the profile file, is not an API key: it holds white space .* a line end$/,
    ],
    [
      'an API key with an umlaut',
      () => ({ TEMPORAL_API_KEY: `${CANARY}ü` }),
      /^TEMPORAL_API_KEY, .*outside ASCII/,
    ],
    [
      'an API key in a profile, with a line end',
      () => profileFile('[profile.default]', `api_key = "${CANARY}\\n"`),
      /^TEMPORAL_API_KEY, or api_key in the profile file, is not an API key/,
    ],
    [
      'an API key in a profile that is a list',
      () => profileFile('[profile.default]', `api_key = ["${CANARY}"]`),
      /^TEMPORAL_API_KEY, or api_key in the profile file, is not an API key/,
    ],
    [
      'a header with a line end',
      () => ({ TEMPORAL_GRPC_META_AUTHORIZATION: `Bearer ${CANARY}\r\n` }),
      /^TEMPORAL_GRPC_META_AUTHORIZATION, or grpc_meta\.authorization in the profile file, is not a gRPC header/,
    ],
    [
      'a header in a profile, with an umlaut',
      () => profileFile('[profile.default.grpc_meta]', `X_Token = "${CANARY}ü"`),
      /^TEMPORAL_GRPC_META_X_TOKEN, /,
    ],
    [
      'a profile file with a syntax error',
      () =>
        profileFile('[profile.default]', 'address = "one:7233"', `api_key = "${CANARY}`, 'namespace = "n"'),
      /^the profile file \S+temporal\.toml is not valid TOML in line 3: correct it$/,
    ],
    [
      'a profile file that is no TOML at all',
      () => profileFile(CANARY),
      /^the profile file \S+temporal\.toml is not valid TOML in line 1: correct it$/,
    ],
    [
      'a profile that is a text',
      () => profileFile('[profile]', `default = "${CANARY}"`),
      /^the profile file \S+temporal\.toml is not valid: write tables such as \[profile\.default\]$/,
    ],
    [
      'a profile file without profiles',
      () => profileFile(`api_key = "${CANARY}"`),
      /^the profile file \S+ is not valid: write tables such as \[profile\.default\]$/,
    ],
    [
      'a profile file that does not exist',
      () => ({ TEMPORAL_CONFIG_FILE: path.join(folder, 'nowhere.toml') }),
      /^the profile file \S+nowhere\.toml cannot be read \(ENOENT\): correct TEMPORAL_CONFIG_FILE$/,
    ],
    [
      'a profile file that is a folder',
      () => ({ TEMPORAL_CONFIG_FILE: folder }),
      /cannot be read \(EISDIR\)/,
    ],
    [
      'a profile that does not exist',
      () => ({ ...profileFile('[profile.default]', `api_key = "${CANARY}"`), TEMPORAL_PROFILE: 'cloud' }),
      /^TEMPORAL_PROFILE names profile cloud, which is not in \S+temporal\.toml: correct one of the two$/,
    ],
    [
      'a profile without any profile file',
      () => ({ TEMPORAL_PROFILE: 'cloud' }),
      /^TEMPORAL_PROFILE names profile cloud, which is not in temporalio\/temporal\.toml in this user/,
    ],
    [
      'a switch that is neither',
      () => ({ TEMPORAL_TLS: 'maybe' }),
      'TEMPORAL_TLS is neither true nor false: write one of the two',
    ],
    [
      'another switch',
      () => ({ TEMPORAL_TLS_DISABLE_HOST_VERIFICATION: CANARY }),
      /^TEMPORAL_TLS_DISABLE_HOST_/,
    ],
    [
      'an address with a password',
      () => ({ TEMPORAL_ADDRESS: `http://user:${CANARY}@temporal:7233` }),
      'TEMPORAL_ADDRESS, or address in the profile file, is not an address: write host:port',
    ],
    [
      'an address that is a number',
      () => profileFile('[profile.default]', 'address = 7233'),
      /^TEMPORAL_ADDRESS, or address in the profile file, is not an address/,
    ],
    [
      'a namespace with a line end',
      () => ({ TEMPORAL_NAMESPACE: 'a\n' }),
      /^TEMPORAL_NAMESPACE, .* is not a namespace$/,
    ],
    [
      'a certificate file that does not exist',
      () => ({ TEMPORAL_TLS_CLIENT_CERT_PATH: '/nowhere.pem', TEMPORAL_TLS_CLIENT_KEY_DATA: pair.key }),
      'TEMPORAL_TLS_CLIENT_CERT_PATH, /nowhere.pem, cannot be read (ENOENT): correct the path',
    ],
    [
      'a key file of a profile that does not exist',
      () => ({
        ...profileFile('[profile.default.tls]', 'client_key_path = "/nowhere.key"'),
        TEMPORAL_TLS_CLIENT_CERT_DATA: pair.cert,
      }),
      'tls.client_key_path in the profile file, /nowhere.key, cannot be read (ENOENT): correct the path',
    ],
    [
      'an authority that is no certificate',
      () => ({ TEMPORAL_TLS_SERVER_CA_CERT_DATA: CANARY }),
      'TEMPORAL_TLS_SERVER_CA_CERT_DATA holds no certificate in PEM: correct it',
    ],
    [
      'a key that is no key',
      () => ({ TEMPORAL_TLS_CLIENT_CERT_DATA: pair.cert, TEMPORAL_TLS_CLIENT_KEY_DATA: CANARY }),
      'TEMPORAL_TLS_CLIENT_KEY_DATA holds no private key without a passphrase in PEM: correct it',
    ],
    [
      'a key of another certificate',
      () => ({ TEMPORAL_TLS_CLIENT_CERT_DATA: pair.cert, TEMPORAL_TLS_CLIENT_KEY_DATA: otherKey() }),
      /^Temporal's TLS settings have a client_key that is not the one of client_cert/,
    ],
    [
      'a key without a certificate',
      () => ({ TEMPORAL_TLS_CLIENT_KEY_DATA: pair.key }),
      "Temporal's TLS settings have no client_cert beside client_key: name both or neither",
    ],
    [
      'a certificate without a key',
      () => ({ TEMPORAL_TLS_CLIENT_CERT_DATA: pair.cert }),
      "Temporal's TLS settings have no client_key beside client_cert: name both or neither",
    ],
    [
      'a key that is given twice',
      () => ({
        ...profileFile('[profile.default.tls]', `client_key_data = "${CANARY}"`),
        TEMPORAL_TLS_CLIENT_KEY_PATH: '/nowhere.key',
      }),
      "Temporal's TLS settings name both client_key_path and client_key_data: keep one of the two",
    ],
  ])('%s', (_what, env, expected) => {
    const { message } = errorOf(env());
    if (typeof expected === 'string') expect(message).toBe(expected);
    else expect(message).toMatch(expected);
    expect(message).not.toContain('CANARY');
    expect(message).not.toContain(pair.key.split('\n')[1]);
    expect(message).not.toMatch(/\n/);
  });

  function otherKey(): string {
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    return privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
  }
});
