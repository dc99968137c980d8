import { z } from 'zod';
import { credentialSchema } from '../atlas/credential';
import { SINK_NAME } from '../contract/formats';
import { MAX_TEXT_LENGTH } from '../contract/limits';
import { organizationId } from '../contract/schemas';
import { DEFAULT_TASK_QUEUE } from '../contract/workflows';
import {
  textOrReference,
  secretReference,
  type ReferenceContext,
  type Secret,
  type SecretFormat,
} from '../secrets/read-secret';
import { HOW_TO_MAKE_KEYS, createSealer, sealingKeysFormat } from '../secrets/sealing';
import { escapeControls } from '../shared/text';
import { sinkConfigSchema } from '../sinks';
import { environmentDefaults } from './environment';

const SECOND_MS = 1000;
const MINUTE_MS = 60 * SECOND_MS;
const HOUR_MS = 60 * MINUTE_MS;
const WEEK_MS = 7 * 24 * HOUR_MS;
/** Exceeds any outage, and stays far below what a date can hold. */
const LONGEST_WAIT_MS = 30 * 24 * HOUR_MS;

/**
 * The names that `atlas.organizations` may use, including those of credentials and sinks with
 * problems.
 */
interface Names {
  credentials: string[];
  sinks: string[];
}

/**
 * Creates the schema of the file. What the environment has is a default: the file's own value takes
 * precedence.
 */
export function settingsSchema(context: ReferenceContext, names: Names) {
  const defaults = environmentDefaults(context.env);
  return z.strictObject({
    taskQueue: z
      .string()
      .refine(
        (name) => name.trim() !== '' && name === escapeControls(name),
        'is blank or has control characters: write a name, or remove the setting',
      )
      .default(DEFAULT_TASK_QUEUE),
    atlas: z
      .strictObject({
        baseUrl: baseUrlSchema(context).prefault(defaults.baseUrl ?? DEFAULT_BASE_URL),
        requestTimeoutMs: z.int().min(100).max(300_000).default(30_000),
        envelope: z.boolean().default(false),
        pretty: z.boolean().default(false),
        // False: these workers delete no API key.
        revocation: z.boolean().default(true),
        credentials: credentialsSchema(context, defaults.credentials),
        organizations: organizationMapSchema(names),
      })
      .prefault({}),
    sinks: sinksSchema(context),
    sealing: z
      .strictObject({
        keys: secretReference(
          {
            ...context,
            remedy: `correct its path, permit the worker to read it, or ${HOW_TO_MAKE_KEYS}`,
          },
          sealingKeysFormat,
        )
          .nullable()
          .prefault(defaults.sealingKeys ?? null),
      })
      .prefault({})
      .refine((sealing): sealing is { keys: Secret } => sealing.keys !== null, {
        path: ['keys'],
        message:
          'is missing: name a file, or set LIVE_MIGRATION_PREP_SEALING_KEYS;' +
          ` ${HOW_TO_MAKE_KEYS}`,
      })
      .transform(({ keys }) => createSealer(() => keys.read())),
    retries: z
      .strictObject({
        // Delays between attempts to create, and between those of a round of deliveries.
        initialIntervalMs: z.int().min(1).default(SECOND_MS),
        // At most the longest pause between rounds.
        maximumIntervalMs: z
          .int()
          .min(1)
          .max(6 * HOUR_MS)
          .default(MINUTE_MS),
        giveUpAfterMs: timeMs({ min: SECOND_MS, default: HOUR_MS }),
        roundMs: timeMs({ min: SECOND_MS, default: 2 * MINUTE_MS }),
      })
      .refine(...ordered('initialIntervalMs', 'maximumIntervalMs'))
      .prefault({}),
    worker: z
      .strictObject({
        maxConcurrentActivities: z.int().min(1).max(10_000).default(100),
        // Of an attempt to create. An outage of Temporal that is 10 s shorter costs no token.
        heartbeatTimeoutMs: z.int().min(10_000).default(MINUTE_MS),
      })
      .prefault({}),
    // Opt-in: the namespace must have them.
    searchAttributes: z.boolean().default(false),
    schedules: z.strictObject({ minimumTokenAgeMs: z.int().min(0).default(WEEK_MS) }).prefault({}),
    health: z
      .strictObject({
        host: z.string().min(1).default('127.0.0.1'),
        port: z.int().min(0).max(65_535).default(8080),
      })
      .prefault({}),
    // Off unless it is written. An address, since Temporal's Core binds it.
    metrics: z
      .strictObject({
        host: z.union([z.ipv4(), z.ipv6()], 'is not an IP address').default('127.0.0.1'),
        port: z.int().min(1).max(65_535).default(9464),
      })
      .nullable()
      .default(null),
    log: z
      // Not above `info`: the record of tokens, by which api-keys finds their keys, is in the log.
      .strictObject({ level: z.enum(['trace', 'debug', 'info']).default('info') })
      .prefault({}),
  });
}

const DEFAULT_BASE_URL = 'https://cloud.mongodb.com';

/** Accepts scheme, host and port only: a path or a user name would be ignored. */
const baseUrlFormat: SecretFormat = (text) => {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url && /^https?:$/.test(url.protocol) && url.href === `${url.origin}/`) return null;
  return `is not a server's address: write one such as ${DEFAULT_BASE_URL}`;
};

function baseUrlSchema(context: ReferenceContext) {
  return textOrReference(context, baseUrlFormat).transform((text) => {
    const { origin, protocol, hostname } = new URL(text.read());
    if (protocol === 'http:' && !/^(localhost|\[::1\]|127(\.\d{1,3}){3})$/.test(hostname)) {
      context.warn(
        'atlas.baseUrl is http, so credentials and tokens are sent unencrypted: write https',
      );
    }
    return origin;
  });
}

function credentialsSchema(context: ReferenceContext, defaults: object) {
  const credentials = z
    .record(z.string().min(1).max(MAX_TEXT_LENGTH), credentialSchema(context))
    .refine((entries) => Object.keys(entries).length > 0, {
      message:
        'there is no credential:' +
        ' set MONGODB_ATLAS_CLIENT_ID and MONGODB_ATLAS_CLIENT_SECRET (service account),' +
        ' or MONGODB_ATLAS_PUBLIC_API_KEY and MONGODB_ATLAS_PRIVATE_API_KEY,' +
        ' or name credentials here',
    })
    .transform((entries) => new Map(Object.entries(entries)));
  return z
    .record(z.string(), z.unknown())
    .prefault({})
    .transform((entries) => ({ ...defaults, ...entries }))
    .pipe(credentials);
}

function organizationMapSchema({ credentials, sinks }: Names) {
  const oneOf = (names: readonly string[]) => {
    const remedy = names.length > 0 ? `name one of ${names.join(', ')}` : 'configure it';
    return z.string().refine((name) => names.includes(name), {
      error: `is not configured: ${remedy}`,
    });
  };
  return z
    .record(
      organizationId,
      z.strictObject({ credential: oneOf(credentials), sinks: z.array(oneOf(sinks)).min(1) }),
    )
    .refine(
      (entries) => Object.keys(entries).length > 0,
      'is empty, so it serves no organization: name one, or remove it',
    )
    .transform((organizations) => new Map(Object.entries(organizations)))
    .nullable()
    .default(null)
    .refine(
      (organizations) => organizations !== null || credentials.length < 2,
      `is missing: with several credentials (${credentials.join(', ')}),` +
        ' assign one to each organization,' +
        ' such as 64f1c0ffee5eed0000000a71:' +
        ` {credential: ${credentials[0] ?? ''}, sinks: [${sinks[0] ?? ''}]}`,
    );
}

function sinksSchema(context: ReferenceContext) {
  const name = z
    .string()
    .regex(
      SINK_NAME,
      'is not a valid sink name: write at most 63 letters, digits, . _ and -,' +
        ' starting with a letter or a digit',
    );
  const nameOne = 'name at least one sink, such as `drop: {type: file, directory: …}`';
  return z
    .record(name, sinkConfigSchema(context), nameOne)
    .refine((sinks) => Object.keys(sinks).length > 0, nameOne)
    .transform((sinks) => new Map(Object.entries(sinks)));
}

function timeMs({ min, default: fallback }: { min: number; default: number }) {
  return z.int().min(min).max(LONGEST_WAIT_MS).default(fallback);
}

/**
 * Returns arguments of `refine` that require `low` <= `high`. Temporal rejects a retry policy whose
 * first interval exceeds its longest, and retries the workflow task for ever.
 */
function ordered<Low extends string, High extends string>(low: Low, high: High) {
  return [
    (settings: Record<Low | High, number>) => settings[low] <= settings[high],
    { path: [high] as PropertyKey[], message: `is less than ${low}: raise it` },
  ] as const;
}
