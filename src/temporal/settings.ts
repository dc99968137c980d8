import { X509Certificate, createPrivateKey } from 'node:crypto';
import { readFileSync } from 'node:fs';
import {
  loadClientConfigProfile,
  loadConfigData,
  toClientOptions,
  type ClientConfigProfile,
  type ClientConfigTLS,
} from '@temporalio/envconfig';
import { errnoOf } from '../files';

export type TemporalSettings = ReturnType<typeof readTemporalSettings>;

/** Thrown when Temporal's environment variables or profile file are wrong. The message quotes no secret. */
export class TemporalSettingsError extends Error {
  override readonly name = 'TemporalSettingsError';
}

type Variables = Readonly<Record<string, string>>;

/**
 * Reads the TEMPORAL_* variables and the profile file as every Temporal SDK does, and refuses what this SDK would
 * ignore or would quote in an error.
 *
 * @throws TemporalSettingsError
 */
export function readTemporalSettings(env: NodeJS.ProcessEnv) {
  const variables = withoutEmpty(env);
  checkSwitches(variables);
  const profile = readProfile(variables);
  const address = checkText('address', profile.address ?? 'localhost:7233', ADDRESS);
  const namespace = checkText('namespace', profile.namespace ?? 'default', NAMESPACE);
  /** What no message may quote. */
  const secrets = [
    ...(profile.apiKey === undefined ? [] : [checkText('api_key', profile.apiKey, API_KEY)]),
    ...Object.entries(profile.grpcMeta ?? {}).map(([name, value]) =>
      checkText(`grpc_meta.${name}`, value, GRPC_HEADER),
    ),
  ];
  if (profile.tls && !profile.tls.disabled) checkTls(profile.tls, variables);
  const { connectionOptions } = toClientOptions(profile);
  return { address, namespace, connectionOptions: { ...connectionOptions, address }, secrets };
}

/** Treats empty as unset: docker compose passes missing variables as empty strings. An empty gRPC header removes one. */
function withoutEmpty(env: NodeJS.ProcessEnv): Variables {
  const isSet = ([name, value]: [string, string | undefined]) =>
    value !== undefined && (value !== '' || !/^TEMPORAL_(?!GRPC_META_)/.test(name));
  return Object.fromEntries(Object.entries(env).filter(isSet)) as Variables;
}

/** The SDK reads every other text as false, and would connect without TLS. */
function checkSwitches(env: Variables): void {
  for (const name of ['TEMPORAL_TLS', 'TEMPORAL_TLS_DISABLE_HOST_VERIFICATION']) {
    const value = env[name];
    if (value === undefined || ['true', 'false', '1', '0'].includes(value)) continue;
    throw new TemporalSettingsError(`${name} is neither true nor false: write one of the two`);
  }
  // The SDK for TypeScript ignores it.
  if (['true', '1'].includes(env['TEMPORAL_TLS_DISABLE_HOST_VERIFICATION'] ?? '')) {
    throw new TemporalSettingsError(
      "TEMPORAL_TLS_DISABLE_HOST_VERIFICATION is not supported: set TEMPORAL_TLS_SERVER_NAME to the name in the server's certificate",
    );
  }
}

function readProfile(env: Variables): ClientConfigProfile {
  const file = env['TEMPORAL_CONFIG_FILE'];
  try {
    // The SDK passes over a file that does not exist, even one that is named.
    if (file !== undefined) readFileSync(file);
    return loadClientConfigProfile({ overrideEnvVars: env });
  } catch (error) {
    throw new TemporalSettingsError(describeProfileError(error, env));
  }
}

/** The SDK's own messages quote the file, which may hold an API key. */
function describeProfileError(error: unknown, env: Variables): string {
  const file = env['TEMPORAL_CONFIG_FILE'] ?? "temporalio/temporal.toml in this user's configuration folder";
  const { message, code, line } = error as NodeJS.ErrnoException & { line?: number };
  if (code !== undefined)
    return `the profile file ${file} cannot be read (${code}): correct TEMPORAL_CONFIG_FILE`;
  if (line !== undefined) return `the profile file ${file} is not valid TOML in line ${line}: correct it`;
  const profile = env['TEMPORAL_PROFILE'];
  if (profile !== undefined && message.endsWith('not found in config data')) {
    return `TEMPORAL_PROFILE names profile ${profile}, which is not in ${file}: correct one of the two`;
  }
  const [, path, data] = /^Cannot specify both (\w+) and (\w+)$/.exec(message) ?? [];
  if (path && data) return `Temporal's TLS settings name both ${path} and ${data}: keep one of the two`;
  return `the profile file ${file} is not valid: write tables such as [profile.default]`;
}

interface Form {
  pattern: RegExp;
  problem: string;
}

const NAMESPACE: Form = { pattern: /^[^\s\p{Cc}]+$/u, problem: 'is not a namespace' };
// Not a URL, which may hold a password.
const ADDRESS: Form = { pattern: /^[^\s\p{Cc}/@]+$/u, problem: 'is not an address: write host:port' };
// The SDK would quote a malformed header.
const API_KEY: Form = {
  pattern: /^[\x21-\x7e]+$/,
  problem: 'is not an API key: it holds white space or characters outside ASCII, such as a line end',
};
const GRPC_HEADER: Form = {
  pattern: /^[\x20-\x7e]*$/,
  problem: 'is not a gRPC header: it holds a line end or characters outside ASCII',
};

/** A profile file may hold any type of TOML. The value is not quoted: it may be a secret. */
function checkText(setting: string, value: unknown, { pattern, problem }: Form): string {
  if (typeof value === 'string' && pattern.test(value)) return value;
  const variable = `TEMPORAL_${setting.toUpperCase().replace(/[.-]/g, '_')}`;
  throw new TemporalSettingsError(`${variable}, or ${setting} in the profile file, ${problem}`);
}

/** Read here to name what is wrong: the SDK's error names neither variable nor file, or comes from OpenSSL. */
function checkTls({ clientCert, clientKey, serverCACert }: ClientConfigTLS, env: Variables): void {
  if (serverCACert) parsePem(serverCACert, 'server_ca_cert', env, certificateIn);
  const certificate = clientCert && parsePem(clientCert, 'client_cert', env, certificateIn);
  const key = clientKey && parsePem(clientKey, 'client_key', env, createPrivateKey);
  if (!certificate && !key) return;
  if (!certificate || !key) {
    throw new TemporalSettingsError(
      `Temporal's TLS settings have no client_${certificate ? 'key' : 'cert'} beside client_${certificate ? 'cert' : 'key'}: name both or neither`,
    );
  }
  if (!certificate.checkPrivateKey(key)) {
    throw new TemporalSettingsError(
      "Temporal's TLS settings have a client_key that is not the one of client_cert: correct one of the two",
    );
  }
}

const certificateIn = (pem: Buffer) => new X509Certificate(pem);

function parsePem<T>(
  source: NonNullable<ClientConfigTLS['clientCert']>,
  setting: string,
  env: Variables,
  parse: (pem: Buffer) => T,
): T {
  const key = `${setting}_${'path' in source ? 'path' : 'data'}`;
  const variable = `TEMPORAL_TLS_${key.toUpperCase()}`;
  const name = variable in env ? variable : `tls.${key} in the profile file`;
  const where = 'path' in source ? `${name}, ${source.path},` : name;
  let pem: Uint8Array | undefined;
  try {
    pem = loadConfigData(source);
  } catch (error) {
    throw new TemporalSettingsError(`${where} cannot be read (${errnoOf(error)}): correct the path`);
  }
  try {
    return parse(Buffer.from(pem ?? []));
  } catch {
    const what = setting === 'client_key' ? 'private key without a passphrase' : 'certificate';
    throw new TemporalSettingsError(`${where} holds no ${what} in PEM: correct it`);
  }
}
