import path from 'node:path';
import type { Env } from '../secrets/references';
import { formatCount } from '../shared/text';
import { findEnvironmentProblems, readDeployment } from './environment';
import { readSettings } from './settings';

export const DEFAULT_CONFIG_FILE = 'live-migration-prep.yaml';

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
 * @param file defaults to LIVE_MIGRATION_PREP_CONFIG, and then to live-migration-prep.yaml in the working folder.
 * @throws ConfigError
 */
export function loadConfig(env: Env, file?: string) {
  const configFile = path.resolve(file ?? (env['LIVE_MIGRATION_PREP_CONFIG'] || DEFAULT_CONFIG_FILE));
  const { values, problems, warnings } = readSettings(configFile, env);
  problems.push(...findEnvironmentProblems(env));
  if (!values || problems.length > 0) throw new ConfigError(problems);
  return { ...values, deployment: readDeployment(env), warnings };
}
