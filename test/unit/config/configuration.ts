import { inspect } from 'node:util';
import { z } from 'zod';
import { ConfigError, loadConfig, type Config } from '../../../src/config';
import { makeKey } from '../../../src/secrets/sealing';
import { temporaryFiles } from '../temporary-folder';

export const KEYS = JSON.stringify({ keys: [makeKey(new Date())] });
/** Part of every secret of these tests. */
export const CANARY = 'CANARY-6f0c';
export const SINKS = 'sinks:\n  drop: {type: file, directory: tokens}\n';
/** Creates a whole configuration, together with {@link SINKS}. */
export const ENV = {
  LIVE_MIGRATION_PREP_SEALING_KEYS: KEYS,
  MONGODB_ATLAS_CLIENT_ID: 'mdb_sa_id_1',
  MONGODB_ATLAS_CLIENT_SECRET: `${CANARY}-secret`,
};

export type Env = Record<string, string | undefined>;

export const { fileIn, write } = temporaryFiles();

/** Loads `lmp.yaml`; `env` is added to {@link ENV}. */
export function load(yaml: string, env: Env = {}): Config {
  return loadConfig({ ...ENV, ...env }, write('lmp.yaml', yaml));
}

/** The problems of a configuration, none of which may hold a secret. */
export function problemsOf(yaml: string, env: Env = {}): string[] {
  try {
    load(yaml, env);
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigError);
    const text = inspect(error, { showHidden: true, depth: 10 });
    expect(text).not.toContain('CANARY');
    expect(text).not.toContain(KEYS);
    return [...(error as ConfigError).problems];
  }
  return [];
}

interface Node {
  default?: string | number | boolean | object | null;
  properties?: Record<string, Node>;
  required?: string[];
}

/**
 * Every setting of a schema with its default, as pages write them. A map, such as `sinks`, is one
 * setting.
 */
export function documentedSettings(schema: z.ZodType): [name: string, value: string][] {
  const settingsIn = ({ properties = {}, required = [] }: Node, parent = ''): [string, string][] =>
    Object.entries(properties).flatMap(([key, node]) => {
      const name = `${parent}${key}`;
      if (node.properties) return settingsIn(node, `${name}.`);
      const { default: value } = node;
      const isShown = value !== undefined && value !== null && typeof value !== 'object';
      if (isShown) return [[`\`${name}\``, `\`${value}\``]];
      return [[`\`${name}\``, required.includes(key) ? 'required' : 'none']];
    });
  return settingsIn(z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' }) as Node);
}
