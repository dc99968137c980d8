import path from 'node:path';
import type { z } from 'zod';
import { looksLikeSecret, type Env } from '../secrets/read-secret';
import { formatCount } from '../shared/text';
import { environmentDefaults, findEnvironmentProblems, readDeployment } from './environment';
import { settingsSchema } from './settings';
import { readYamlFile, type YamlFile } from './yaml-file';

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
 * @param file defaults to LIVE_MIGRATION_PREP_CONFIG, and then to live-migration-prep.yaml in the
 *   working folder.
 * @throws ConfigError
 */
export function loadConfig(env: Env, file?: string) {
  const configFile = path.resolve(
    file ?? (env['LIVE_MIGRATION_PREP_CONFIG'] || DEFAULT_CONFIG_FILE),
  );
  const yaml = readYamlFile(configFile);
  const ofEnvironment = findEnvironmentProblems(env);
  if (yaml.problems.length > 0) throw new ConfigError([...yaml.problems, ...ofEnvironment]);
  const warnings: string[] = [];
  const context = {
    env,
    baseDirectory: path.dirname(configFile),
    warn: (text: string) => warnings.push(text),
  };
  const { data, error } = settingsSchema(context, collectNames(yaml.content, env)).safeParse(
    yaml.content,
  );
  const ofSettings = error?.issues.flatMap((issue) => describeProblem(issue, yaml)) ?? [];
  const problems = [...ofSettings, ...ofEnvironment];
  if (!data || problems.length > 0) throw new ConfigError(problems);
  return { ...data, deployment: readDeployment(env), warnings };
}

function collectNames(content: unknown, env: Env) {
  const { atlas, sinks } = content as {
    atlas?: { credentials?: object } | null;
    sinks?: object | null;
  };
  return {
    credentials: Object.keys({ ...environmentDefaults(env).credentials, ...atlas?.credentials }),
    sinks: Object.keys(sinks ?? {}),
  };
}

/** Describes a problem of the settings, with its place in the file. */
function describeProblem(issue: z.core.$ZodIssue, yaml: Pick<YamlFile, 'findPlace'>): string[] {
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => {
      if (looksLikeSecret(key)) {
        const remedy = 'write {env: NAME} or {file: PATH}, never the secret';
        return `${yaml.findPlace(issue.path)}: has a key that looks like a secret: ${remedy}`;
      }
      return `${yaml.findPlace([...issue.path, key])}: is not a setting: correct or remove it`;
    });
  }
  const issues = issue.code === 'invalid_key' ? issue.issues : [issue];
  return [`${yaml.findPlace(issue.path)}: ${issues.map(({ message }) => message).join('; ')}`];
}
