import type * as SecretsManager from '@aws-sdk/client-secrets-manager';
import { z } from 'zod';
import { raceSignal, withTimeout } from '../../abort';
import type { Pair } from '../../contract/workflow-id';
import { VERSION } from '../../version';
import { SinkRejectedError, toStoredToken, type Sink, type SinkType } from '../sink';
import { httpConfig, httpUrl } from '../utils/http-config';
import { completeIds, templateSchema } from '../utils/name-template';
import { callError } from './aws-errors';

/** The text of a tag (AWS's reference of the data type Tag). */
const tagText = z
  .string()
  .regex(
    /^[\p{L}\p{Z}\p{N}_.:/=+\-@]*$/u,
    'contains characters other than letters, digits, spaces and . : / = + - @ _',
  )
  .refine((text) => !/^aws:/i.test(text), 'starts with aws:, which is reserved');

/** A secret has at most 50 tags, and this sink adds two. */
const MAX_OWN_TAGS = 48;

const configSchema = () =>
  httpConfig('endpoint', {
    region: z.string('name the AWS region').regex(/^[a-z]+(-[a-z0-9]+)+$/, 'is not an AWS region'),
    secretName: templateSchema,
    kmsKeyId: z.string().min(1, 'is empty').optional(),
    tags: z
      .record(
        tagText.min(1, 'is empty').max(128, 'is longer than 128 characters'),
        tagText.max(256),
      )
      .refine(
        (tags) => Object.keys(tags).length <= MAX_OWN_TAGS,
        `has more than ${MAX_OWN_TAGS} tags`,
      )
      .default({}),
    endpoint: httpUrl.optional(),
  });

type Config = z.output<ReturnType<typeof configSchema>>;

/** Stores each token in AWS Secrets Manager. Credentials come from the SDK's default chain. */
export const awsSecretsManagerSink: SinkType<Config> = {
  type: 'awsSecretsManager',
  configSchema,
  async create(config) {
    return createAwsSink(config, await import('@aws-sdk/client-secrets-manager'));
  },
};

function createAwsSink(config: Config, sdk: typeof SecretsManager): Sink {
  const { region, secretName, kmsKeyId, endpoint, timeoutMs } = config;
  const settings: SecretsManager.SecretsManagerClientConfig = {
    region,
    // Tokens go only to the address that the configuration names.
    ignoreConfiguredEndpointUrls: true,
    customUserAgent: [['live-migration-prep', VERSION]],
    // Temporal retries; two layers would multiply.
    maxAttempts: 1,
    // The clients that fetch credentials inherit these timeouts. All attempts share one lookup of
    // credentials, so a request without an end would hold back every later attempt.
    requestHandler: { connectionTimeout: timeoutMs, socketTimeout: timeoutMs },
  };
  if (endpoint) settings.endpoint = endpoint.href;
  const client = new sdk.SecretsManager(settings);

  /** Creates the function that calls AWS about one secret. */
  function callsFor(name: string, signal: AbortSignal) {
    return async <Output>(
      action: string,
      send: (options: { abortSignal: AbortSignal }) => Promise<Output>,
    ) => {
      try {
        return await withTimeout(timeoutMs, signal, (abortSignal) =>
          // The SDK observes the signal only once it has credentials.
          raceSignal(() => send({ abortSignal }), abortSignal),
        );
      } catch (error) {
        signal.throwIfAborted();
        const what = `secretsmanager:${action} for secret ${name} in ${region}`;
        throw callError(what, error, timeoutMs);
      }
    };
  }

  return {
    needsSourceOrgId: secretName.uses('sourceOrgId'),

    async deliver(delivery, signal) {
      const { deliveryId } = delivery;
      const name = secretName.fill(delivery);
      const call = callsFor(name, signal);
      const location = `version ${deliveryId} of secret ${name} in AWS Secrets Manager, ${region}`;
      // The id of the version is the delivery id, so that AWS itself ignores a repetition.
      const version = {
        ClientRequestToken: deliveryId,
        SecretString: JSON.stringify(toStoredToken(delivery)),
      };
      const secret = {
        Name: name,
        KmsKeyId: kmsKeyId,
        Tags: Object.entries({ ...config.tags, ...ownerTags(delivery) }).map(([Key, Value]) => ({
          Key,
          Value,
        })),
        ...version,
      };
      const created = await call('CreateSecret', (options) =>
        client.createSecret(secret, options).catch(nullIf(sdk.ResourceExistsException)),
      );
      // Something that is not AWS may answer 200 to anything.
      if (created?.VersionId === deliveryId) return location;
      const existing = await call('DescribeSecret', (options) =>
        client.describeSecret({ SecretId: name }, options),
      );
      if (existing.VersionIdsToStages?.[deliveryId]) return location;
      requireOwnTags(name, delivery, existing.Tags);
      await call('PutSecretValue', (options) =>
        client.putSecretValue({ SecretId: name, ...version }, options),
      );
      return location;
    },

    /**
     * Describes the secret. "Not found" passes, since AWS answers it only to those with permission.
     */
    async check(target, signal) {
      const name = secretName.fill(completeIds(target));
      const call = callsFor(name, signal);
      const existing = await call('DescribeSecret', (options) =>
        client
          .describeSecret({ SecretId: name }, options)
          .catch(nullIf(sdk.ResourceNotFoundException)),
      );
      const { orgId, sourceOrgId } = target;
      if (existing && orgId) requireOwnTags(name, { orgId, sourceOrgId }, existing.Tags);
      return `AWS Secrets Manager, ${region}, permits secretsmanager:DescribeSecret on ${name}`;
    },
  };
}

function nullIf(kind: new (...args: never[]) => Error): (error: unknown) => null {
  return (error) => {
    if (error instanceof kind) return null;
    throw error;
  };
}

/**
 * Tags that name the organizations of a token, so that the sink never overwrites the token of
 * others.
 */
const OWNER_TAGS = {
  orgId: 'live-migration-prep/orgId',
  sourceOrgId: 'live-migration-prep/sourceOrgId',
};

function ownerTags({ orgId, sourceOrgId }: Pair): Record<string, string> {
  const tags = { [OWNER_TAGS.orgId]: orgId };
  if (sourceOrgId) tags[OWNER_TAGS.sourceOrgId] = sourceOrgId;
  return tags;
}

/** @throws SinkRejectedError when the tags of a secret do not name the organizations. */
function requireOwnTags(name: string, target: Pair, tags: SecretsManager.Tag[] = []): void {
  const tagsOfSecret = new Map(tags.map(({ Key, Value }) => [Key, Value]));
  const tagsOfTarget = ownerTags(target);
  if (Object.values(OWNER_TAGS).every((key) => tagsOfSecret.get(key) === tagsOfTarget[key])) return;
  if (tagsOfSecret.has(OWNER_TAGS.orgId)) {
    throw new SinkRejectedError(
      `secret ${name} holds the token of other organizations: ` +
        'put {orgId} and {sourceOrgId} into secretName, restart the workers, then redeliver',
    );
  }
  const pairs = Object.entries(tagsOfTarget).map(([key, value]) => `${key}=${value}`);
  throw new SinkRejectedError(
    `secret ${name} was not created by this sink: correct secretName and restart the workers, ` +
      `or tag the secret ${pairs.join(' and ')} to let this sink write it, then redeliver`,
  );
}
