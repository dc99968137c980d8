import path from 'node:path';
import type { Env } from '../secrets/references';
import { createSealer, type Sealer } from '../secrets/sealing';
import { formatCount } from '../shared/text';
import { readEnvironment, type Deployment } from './environment';
import { readSettings, type Settings } from './settings';

export const DEFAULT_CONFIG_FILE = 'live-migration-prep.yaml';

export interface Config extends Omit<Settings, 'atlas' | 'sealing'> {
  atlas: Settings['atlas'] & { baseUrl: string };
  sealing: Sealer;
  /** Null when the worker is not versioned. */
  deployment: Deployment | null;
  warnings: string[];
}

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
export function loadConfig(env: Env, file?: string): Config {
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
    deployment: environment.values.deployment,
    warnings: [...environment.warnings, ...settings.warnings],
  };
}
