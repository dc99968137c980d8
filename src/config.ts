import path from 'node:path';
import { z } from 'zod';
import { credentialsSchema, type CredentialConfig } from './atlas/credential-config';
import { DEFAULT_TASK_QUEUE, type RetrySettings } from './contract/names';
import { organizationId } from './contract/schemas';
import { HOW_TO_MAKE_KEYS, createSealer, type Sealer } from './sealing';
import { SecretUnavailableError, secretFromEnv, secretReference, type ReferenceContext } from './secrets';
import { sinkConfigSchema, type SinkFactory } from './sinks';
import { readYamlFile, type YamlFile } from './yaml-file';

export const DEFAULT_CONFIG_FILE = 'live-migration-prep.yaml';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;

/** Which credential an organization is served with, and which sinks its tokens may go to. */
export interface OrganizationConfig {
  credential: string;
  sinks: string[];
}

/** Everything the worker is told, checked. */
export interface Config {
  taskQueue: string;
  atlas: {
    baseUrl: string;
    requestTimeoutMs: number;
    /** Ask Atlas to wrap its answers; the status inside then decides. */
    envelope: boolean;
    pretty: boolean;
    /** By name; `default` is the one of the environment. */
    credentials: Map<string, CredentialConfig>;
    /** With such a map there is no default for the organizations it leaves out. */
    organizations: Map<string, OrganizationConfig> | null;
  };
  sinks: Map<string, SinkFactory>;
  sealing: Sealer;
  retries: { create: RetrySettings; deliver: RetrySettings };
  worker: { maxConcurrentActivities: number; maxActivitiesPerSecond: number };
  health: { host: string; port: number };
  log: { level: 'trace' | 'debug' | 'info' | 'warn' | 'error' };
  /** What is allowed and unwise. */
  warnings: string[];
}

/** Thrown with every problem of the configuration at once. Messages hold no secret. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';

  constructor(readonly problems: readonly string[]) {
    super(
      `the configuration has ${problems.length} problem(s):\n${problems.map((p) => `  - ${p}`).join('\n')}`,
    );
  }
}

/**
 * Reads the environment and the one YAML file.
 *
 * @param file from `--config`; else LIVE_MIGRATION_PREP_CONFIG, else live-migration-prep.yaml in the working folder.
 * @throws ConfigError
 */
export function loadConfig(env: ReferenceContext['env'], file?: string): Config {
  // Empty as good as unset: that is how docker compose hands on a variable it does not have.
  const configFile = path.resolve(file ?? (env['LIVE_MIGRATION_PREP_CONFIG'] || DEFAULT_CONFIG_FILE));
  let yaml: YamlFile;
  try {
    yaml = readYamlFile(configFile);
  } catch (error) {
    throw new ConfigError((error as Error).message.split('\n'));
  }
  const warnings: string[] = [];
  const parsed = configSchema({
    env,
    baseDirectory: path.dirname(configFile),
    warn: (message) => warnings.push(message),
  }).safeParse(yaml.content);
  if (!parsed.success) {
    throw new ConfigError(parsed.error.issues.flatMap((issue) => problemsOf(issue, yaml)));
  }
  return { ...parsed.data, warnings };
}

function problemsOf(issue: z.core.$ZodIssue, yaml: YamlFile): string[] {
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map(
      (key) => `${yaml.placeOf([...issue.path, key])}: is not a setting: remove it, or correct its name`,
    );
  }
  const message =
    issue.code === 'invalid_key' ? issue.issues.map((i) => i.message).join('; ') : issue.message;
  return [`${yaml.placeOf(issue.path)}: ${message}`];
}

/** For a check that finds its problems beside those of other settings: zod skips checks after the first problem. */
const ALWAYS = { when: () => true };

function configSchema(context: ReferenceContext) {
  return z
    .strictObject({
      taskQueue: z.string().min(1, 'is empty').default(DEFAULT_TASK_QUEUE),
      atlas: atlasSchema(context),
      sinks: sinksSchema(context),
      sealing: sealingSchema(context),
      retries: z
        .strictObject({
          create: retrySchema({ maximumIntervalMs: MINUTE_MS, giveUpAfterMs: HOUR_MS }),
          deliver: retrySchema({ maximumIntervalMs: 5 * MINUTE_MS, giveUpAfterMs: 24 * HOUR_MS }),
        })
        .prefault({}),
      worker: z
        .strictObject({
          maxConcurrentActivities: z.int().min(1).max(10_000).default(100),
          maxActivitiesPerSecond: z.number().positive().default(100_000),
        })
        .prefault({}),
      health: z
        .strictObject({
          host: z.string().min(1).default('127.0.0.1'),
          port: z.int().min(0).max(65_535).default(8080),
        })
        .prefault({}),
      log: z
        .strictObject({ level: z.enum(['trace', 'debug', 'info', 'warn', 'error']).default('info') })
        .prefault({}),
    })
    .superRefine(checkNames, ALWAYS);
}

/** A part that has problems of its own has not become a map, and is no measure of names. */
interface Parts {
  atlas?: { credentials?: unknown; organizations?: unknown };
  sinks?: unknown;
}

/** Every name under `atlas.organizations` is that of a credential or a sink. */
function checkNames({ atlas, sinks }: Parts, issues: z.RefinementCtx): void {
  if (!(atlas?.organizations instanceof Map)) return;
  for (const [orgId, organization] of atlas.organizations as Map<string, OrganizationConfig>) {
    const check = (name: string, known: unknown, ...where: PropertyKey[]) => {
      if (!(known instanceof Map) || known.has(name)) return;
      const message = `${name} is not configured: name one of ${[...known.keys()].join(', ') || 'none yet'}`;
      issues.addIssue({ code: 'custom', path: ['atlas', 'organizations', orgId, ...where], message });
    };
    check(organization.credential, atlas.credentials, 'credential');
    organization.sinks.forEach((sink, index) => check(sink, sinks, 'sinks', index));
  }
}

function atlasSchema(context: ReferenceContext) {
  return z
    .strictObject({
      requestTimeoutMs: z.int().min(100).max(300_000).default(30_000),
      envelope: z.boolean().default(false),
      pretty: z.boolean().default(false),
      credentials: credentialsSchema(context),
      organizations: z
        .record(organizationId, z.strictObject({ credential: z.string(), sinks: z.array(z.string()).min(1) }))
        .transform((organizations) => new Map(Object.entries(organizations)))
        .nullable()
        .default(null),
    })
    .prefault({})
    .superRefine((_atlas, issues) => {
      if (!baseUrlOf(context)) {
        issues.addIssue(
          'environment variable MONGODB_ATLAS_BASE_URL is not the address of a server, such as https://cloud.mongodb.com',
        );
      }
    }, ALWAYS)
    .transform((atlas) => {
      const url = baseUrlOf(context);
      if (!url) return z.NEVER;
      if (url.protocol === 'http:' && !isLoopback(url.hostname)) {
        context.warn('MONGODB_ATLAS_BASE_URL is http: credentials and tokens cross the network in the clear');
      }
      return { ...atlas, baseUrl: url.origin };
    });
}

/** Null unless it is scheme, host and port, and nothing else that would be dropped in silence. */
function baseUrlOf({ env }: ReferenceContext): URL | null {
  const text = env['MONGODB_ATLAS_BASE_URL'] || 'https://cloud.mongodb.com';
  const url = URL.canParse(text) ? new URL(text) : null;
  return url && /^https?:$/.test(url.protocol) && url.href === `${url.origin}/` ? url : null;
}

function isLoopback(hostname: string): boolean {
  return hostname === 'localhost' || hostname === '[::1]' || hostname.startsWith('127.');
}

function sinksSchema(context: ReferenceContext) {
  const name = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/, 'write letters, digits and . _ - only');
  return z
    .record(name, sinkConfigSchema(context), {
      error: ({ code }) => (code === 'invalid_type' ? 'name at least one sink' : undefined),
    })
    .refine((sinks) => Object.keys(sinks).length > 0, 'name at least one sink')
    .transform((sinks) => new Map(Object.entries(sinks)));
}

function sealingSchema(context: ReferenceContext) {
  return z
    .strictObject({ keys: secretReference(context).optional() })
    .prefault({})
    .transform(({ keys }, issues): Sealer => {
      try {
        const secret = keys ?? secretFromEnv('LIVE_MIGRATION_PREP_SEALING_KEYS', context);
        return createSealer(secret.read());
      } catch (error) {
        const help =
          error instanceof SecretUnavailableError
            ? `, or name a file under sealing.keys; ${HOW_TO_MAKE_KEYS}`
            : '';
        issues.addIssue((error as Error).message + help);
        return z.NEVER;
      }
    });
}

function retrySchema(defaults: Pick<RetrySettings, 'maximumIntervalMs' | 'giveUpAfterMs'>) {
  return (
    z
      .strictObject({
        initialIntervalMs: z.int().min(1).default(1000),
        backoffCoefficient: z.number().min(1).default(2),
        maximumIntervalMs: z.int().min(1).default(defaults.maximumIntervalMs),
        giveUpAfterMs: z.int().min(1000).default(defaults.giveUpAfterMs),
      })
      // Temporal refuses such a policy, and the run would hang on it.
      .refine(({ initialIntervalMs, maximumIntervalMs }) => initialIntervalMs <= maximumIntervalMs, {
        path: ['maximumIntervalMs'],
        message: 'is less than initialIntervalMs: raise it',
      })
      .prefault({})
  );
}
