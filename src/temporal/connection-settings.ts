import { readFileSync } from 'node:fs';
import { loadClientConnectConfig } from '@temporalio/envconfig';

export type TemporalSettings = ReturnType<typeof readTemporalSettings>;

/** Puts what the command line says of Temporal in place of the environment variables. */
export function overrideTemporalSettings(
  env: NodeJS.ProcessEnv,
  { address, namespace }: { address?: string; namespace?: string },
): NodeJS.ProcessEnv {
  const overridden = { ...env };
  if (address) overridden['TEMPORAL_ADDRESS'] = address;
  if (namespace) overridden['TEMPORAL_NAMESPACE'] = namespace;
  return overridden;
}

/**
 * @throws Error when the environment variables or the profile file are wrong. The message quotes no
 *   secret.
 */
export function readTemporalSettings(env: NodeJS.ProcessEnv) {
  const variables = withoutEmpty(env);
  // The SDK reads every other text as false, and would connect without TLS.
  if (!/^(true|false|1|0)$/.test(variables['TEMPORAL_TLS'] ?? 'false')) {
    throw new Error('TEMPORAL_TLS is neither true nor false: write one of the two');
  }
  const { connectionOptions, namespace = 'default' } = loadSettings(variables);
  const { address = 'localhost:7233', apiKey, metadata = {} } = connectionOptions;
  // A URL may hold a password.
  if (!/^[^\s/@]+$/.test(address)) {
    throw new Error(
      'TEMPORAL_ADDRESS, or address in the profile file, is not an address: write host:port',
    );
  }
  return {
    address,
    namespace,
    connectionOptions: { ...connectionOptions, address },
    /** Texts that no message may quote. */
    secrets: [apiKey, ...Object.values(metadata)]
      .filter((secret) => secret !== undefined)
      .map(String),
  };
}

/**
 * Removes empty variables: docker compose passes missing ones so. An empty gRPC header stays, since
 * it removes one.
 */
function withoutEmpty(env: NodeJS.ProcessEnv): Record<string, string> {
  const isSet = ([name, value]: [string, string | undefined]) =>
    value !== undefined && (value !== '' || !/^TEMPORAL_(?!GRPC_META_)/.test(name));
  return Object.fromEntries(Object.entries(env).filter(isSet)) as Record<string, string>;
}

function loadSettings(
  variables: Record<string, string>,
): ReturnType<typeof loadClientConnectConfig> {
  const file = variables['TEMPORAL_CONFIG_FILE'];
  try {
    // The SDK ignores a file that does not exist, even one that is named.
    if (file !== undefined) readFileSync(file);
    return loadClientConnectConfig({ overrideEnvVars: variables });
  } catch (error) {
    const { message, line } = error as Error & { line?: number };
    const place = line === undefined ? '' : ` in line ${line}`;
    // A TypeError quotes values of the profile file, and the TOML parser quotes its lines after an
    // empty line.
    const reason =
      error instanceof TypeError
        ? 'write tables such as [profile.default]'
        : message.replace(/\n[^]*/, '');
    const name = file ?? 'temporalio/temporal.toml';
    throw new Error(
      `correct the TEMPORAL_* variables or the profile file ${name}${place}: ${reason}`,
    );
  }
}
