import type * as SecretsManager from '@aws-sdk/client-secrets-manager';
import { z } from 'zod';
import { VERSION } from '../../http/version';
import { withTimeout } from '../../http/with-timeout';
import { SinkRejectedError, type CheckTarget, type Sink, type SinkType } from '../sink';
import { httpFields, httpUrl, withoutPlainHttp } from '../utils/http-config';
import { storedTokenOf } from '../utils/stored-token';
import { SECRET_NAME_RULE, completeIds, templateSchema } from '../utils/template';
import { sinkErrorOfAws } from './errors';

/** From the reference of the Tag data type; the prefix `aws:` is reserved. */
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
  withoutPlainHttp(
    z.strictObject({
      region: z.string('name the AWS region').regex(/^[a-z]+(-[a-z0-9]+)+$/, 'is not an AWS region'),
      secretName: templateSchema(SECRET_NAME_RULE),
      kmsKeyId: z.string().min(1, 'is empty').optional(),
      tags: z
        .record(tagText.min(1, 'is empty').max(128, 'is longer than 128 characters'), tagText.max(256))
        .refine((tags) => Object.keys(tags).length <= MAX_OWN_TAGS, `has more than ${MAX_OWN_TAGS} tags`)
        .default({}),
      endpoint: httpUrl.optional(),
      ...httpFields,
    }),
    'endpoint',
  );

type Config = z.output<ReturnType<typeof configSchema>>;

/** Stores each token in AWS Secrets Manager. Credentials come from the SDK's default chain, as in any AWS program. */
export const awsSecretsManagerSink: SinkType<'awsSecretsManager', Config> = {
  type: 'awsSecretsManager',
  configSchema,
  async create(config) {
    // The SDK's own switch for its warning of old versions of Node, which say nothing about a delivery.
    process.env['AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED'] ??= 'true';
    return createAwsSink(config, await import('@aws-sdk/client-secrets-manager'));
  },
};

function createAwsSink(config: Config, sdk: typeof SecretsManager): Sink {
  const { region, secretName, kmsKeyId, endpoint, timeoutMs } = config;
  const {
    CreateSecretCommand,
    DescribeSecretCommand,
    PutSecretValueCommand,
    ResourceExistsException,
    ResourceNotFoundException,
  } = sdk;
  const client = new sdk.SecretsManagerClient({
    region,
    ...(endpoint && { endpoint: endpoint.href }),
    // Tokens go to no other address than the configuration names.
    ignoreConfiguredEndpointUrls: true,
    customUserAgent: [['live-migration-prep', VERSION]],
    // Temporal retries; two layers would multiply.
    maxAttempts: 1,
  });

  return {
    needsSourceOrgId: secretName.uses('sourceOrgId'),

    /** The delivery id is the version's id, so that AWS itself ignores a repetition. */
    async deliver(delivery, signal) {
      const name = secretName.fill(delivery);
      const call = createCall(name, signal);
      const version = {
        ClientRequestToken: delivery.deliveryId,
        SecretString: JSON.stringify(storedTokenOf(delivery)),
      };
      const location = `version ${delivery.deliveryId} of secret ${name} in AWS Secrets Manager, ${region}`;

      const created = await call('CreateSecret', async (options) => {
        const request = {
          Name: name,
          ...version,
          KmsKeyId: kmsKeyId,
          Tags: tagList({ ...config.tags, ...ownerTags(delivery) }),
        };
        try {
          await client.send(new CreateSecretCommand(request), options);
          return true;
        } catch (error) {
          if (error instanceof ResourceExistsException) return false;
          throw error;
        }
      });
      if (created) return location;

      const found = await call('DescribeSecret', (options) =>
        client.send(new DescribeSecretCommand({ SecretId: name }), options),
      );
      if (!found.VersionIdsToStages?.[delivery.deliveryId]) {
        refuseForeign(name, tagsToMap(found.Tags), delivery);
        await call('PutSecretValue', (options) =>
          client.send(new PutSecretValueCommand({ SecretId: name, ...version }), options),
        );
      }
      return location;
    },

    /** That a secret does not exist is said only to those who may describe it. */
    async check(target, signal) {
      const name = secretName.fill(completeIds(target));
      const found = await createCall(name, signal)('DescribeSecret', (options) =>
        client.send(new DescribeSecretCommand({ SecretId: name }), options).catch((error: unknown) => {
          if (error instanceof ResourceNotFoundException) return null;
          throw error;
        }),
      );
      if (found && target) refuseForeign(name, tagsToMap(found.Tags), target);
      return `AWS Secrets Manager, ${region}, permits secretsmanager:DescribeSecret on ${name}`;
    },
  };

  /** Calls one action for one secret, with the timeout and with errors of the sink. */
  function createCall(name: string, signal: AbortSignal) {
    return async <Output>(
      action: string,
      send: (options: SendOptions) => Promise<Output>,
    ): Promise<Output> => {
      try {
        return await withTimeout(timeoutMs, signal, (abortSignal) => send({ abortSignal }));
      } catch (error) {
        signal.throwIfAborted();
        throw sinkErrorOfAws(`secretsmanager:${action} for secret ${name} in ${region}`, error);
      }
    };
  }
}

type SendOptions = NonNullable<Parameters<SecretsManager.SecretsManagerClient['send']>[1]>;

/** They say whose token a secret holds, so that another's is never overwritten. */
const OWNER_TAGS = { orgId: 'live-migration-prep/orgId', sourceOrgId: 'live-migration-prep/sourceOrgId' };

function ownerTags({ orgId, sourceOrgId }: CheckTarget): Record<string, string> {
  return {
    [OWNER_TAGS.orgId]: orgId,
    ...(sourceOrgId !== null && { [OWNER_TAGS.sourceOrgId]: sourceOrgId }),
  };
}

function tagList(tags: Record<string, string>): SecretsManager.Tag[] {
  return Object.entries(tags).map(([Key, Value]) => ({ Key, Value }));
}

function tagsToMap(tags: SecretsManager.Tag[] = []): Map<string, string> {
  return new Map(tags.map(({ Key = '', Value = '' }) => [Key, Value]));
}

function refuseForeign(name: string, present: Map<string, string>, target: CheckTarget): void {
  const wanted = ownerTags(target);
  if (Object.values(OWNER_TAGS).every((key) => present.get(key) === wanted[key])) return;
  const wantedTags = Object.entries(wanted)
    .map(([key, value]) => `${key}=${value}`)
    .join(' and ');
  throw new SinkRejectedError(
    present.has(OWNER_TAGS.orgId)
      ? `secret ${name} holds the token of other organizations: put {orgId} and {sourceOrgId} into secretName, then redeliver`
      : `secret ${name} was not created by this sink: correct secretName, or tag the secret ${wantedTags} to let this sink write it, then redeliver`,
  );
}
