import path from 'node:path';
import { createSealer } from '../sealing';
import { formatCount } from '../shared/text';
import { readEnvironment, type Env } from './environment';
import { readSettings } from './settings';

export const DEFAULT_CONFIG_FILE = 'live-migration-prep.yaml';

/** The whole configuration of a worker, checked. */
export type Config = ReturnType<typeof loadConfig>;

/** Thrown with every problem of the configuration at once. Messages hold no secret. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';

  constructor(readonly problems: readonly string[]) {
    const lines = problems.map((problem) => `\n  - ${problem}`);
    super(`the configuration has ${formatCount(problems.length, 'problem')}:${lines.join('')}`);
  }
}

/**
 * Reads the environment and the YAML file, and merges them.
 *
 * @param file defaults to LIVE_MIGRATION_PREP_CONFIG, and then to live-migration-prep.yaml in the working folder.
 * @throws ConfigError
 */
export function loadConfig(env: Env, file?: string) {
  const configFile = path.resolve(file ?? (env['LIVE_MIGRATION_PREP_CONFIG'] || DEFAULT_CONFIG_FILE));
  const environment = readEnvironment(env);
  const settings = readSettings(configFile, env, environment.values);
  const problems = [...environment.problems, ...settings.problems];
  if (!settings.values || problems.length > 0) throw new ConfigError(problems);

  const { atlas, sealing, ...rest } = settings.values;
  return {
    ...rest,
    atlas: { ...atlas, baseUrl: environment.values.baseUrl },
    sealing: createSealer(() => sealing.keys.read()),
    /** Null when the worker is not versioned. */
    deployment: environment.values.deployment,
    /** Problems that do not stop the worker. */
    warnings: [...environment.warnings, ...settings.warnings],
  };
}
