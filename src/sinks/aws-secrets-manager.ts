import type * as SecretsManager from '@aws-sdk/client-secrets-manager';
import { z } from 'zod';
import { sinkErrorOfAws } from './aws-errors';
import { httpFields, httpUrl, withoutPlainHttp } from './http-url';
import { storedTokenOf } from './payload';
import { SinkRejectedError, type Delivery, type Sink, type SinkType } from './sink';
import { SECRET_NAME_RULE, templateSchema, type Template } from './template';

interface AwsConfig {
  region: string;
  secretName: Template;
  kmsKeyId?: string | undefined;
  tags: Record<string, string>;
  endpoint?: URL | undefined;
  timeoutMs: number;
}

/** Keeps each token in AWS Secrets Manager. Credentials come from the SDK's default chain, as for any AWS program. */
export const awsSecretsManagerSink: SinkType<AwsConfig> = {
  type: 'awsSecretsManager',
  configSchema: () =>
    withoutPlainHttp(
      z.strictObject({
        region: z.string('name the AWS region').regex(/^[a-z]+(-[a-z0-9]+)+$/, 'is not an AWS region'),
        secretName: templateSchema(SECRET_NAME_RULE),
        kmsKeyId: z.string().min(1, 'is empty').optional(),
        tags: z.record(z.string().min(1).max(128), z.string().max(256)).default({}),
        endpoint: httpUrl.optional(),
        ...httpFields,
      }),
      'endpoint',
    ),
  async create(config) {
    return createAwsSink(config, await import('@aws-sdk/client-secrets-manager'));
  },
};

function createAwsSink(config: AwsConfig, sdk: typeof SecretsManager): Sink {
  const { CreateSecretCommand, DescribeSecretCommand, PutSecretValueCommand, ResourceExistsException } = sdk;
  const client = new sdk.SecretsManagerClient({
    region: config.region,
    ...(config.endpoint && { endpoint: config.endpoint.href }),
    // Temporal retries; two layers would multiply.
    maxAttempts: 1,
  });

  return {
    needsSourceOrgId: config.secretName.uses('sourceOrgId'),

    /** The delivery id is the version's id, so that AWS itself ignores a repetition. */
    async deliver(delivery, signal) {
      const name = config.secretName.fill(delivery);
      const ask = asker(name, signal);
      const version = { ClientRequestToken: delivery.deliveryId, SecretString: secretStringOf(delivery) };
      const place = `version ${delivery.deliveryId} of secret ${name} in AWS Secrets Manager, ${config.region}`;

      const created = await ask('CreateSecret', async (options) => {
        const request = {
          Name: name,
          ...version,
          KmsKeyId: config.kmsKeyId,
          Tags: tagsOf(delivery, config.tags),
        };
        try {
          await client.send(new CreateSecretCommand(request), options);
          return true;
        } catch (error) {
          if (error instanceof ResourceExistsException) return false;
          throw error;
        }
      });
      if (created) return place;

      const found = await ask('DescribeSecret', (options) =>
        client.send(new DescribeSecretCommand({ SecretId: name }), options),
      );
      if (found.VersionIdsToStages?.[delivery.deliveryId]) return place;
      refuseForeign(name, found.Tags ?? [], delivery);
      await ask('PutSecretValue', (options) =>
        client.send(new PutSecretValueCommand({ SecretId: name, ...version }), options),
      );
      return place;
    },
  };

  function asker(name: string, signal: AbortSignal) {
    return async <Answer>(
      action: string,
      send: (options: SendOptions) => Promise<Answer>,
    ): Promise<Answer> => {
      signal.throwIfAborted();
      try {
        return await send({ abortSignal: AbortSignal.any([signal, AbortSignal.timeout(config.timeoutMs)]) });
      } catch (error) {
        signal.throwIfAborted();
        throw sinkErrorOfAws(`secretsmanager:${action} for secret ${name} in ${config.region}`, error);
      }
    };
  }
}

type SendOptions = NonNullable<Parameters<SecretsManager.SecretsManagerClient['send']>[1]>;

function secretStringOf(delivery: Delivery): string {
  return JSON.stringify(storedTokenOf(delivery));
}

/** They say whose token a secret holds, so that another's is never written over. */
const OWNER_TAGS = { orgId: 'live-migration-prep/orgId', sourceOrgId: 'live-migration-prep/sourceOrgId' };

function ownerTags({ orgId, sourceOrgId }: Delivery): Record<string, string> {
  return {
    [OWNER_TAGS.orgId]: orgId,
    ...(sourceOrgId !== null && { [OWNER_TAGS.sourceOrgId]: sourceOrgId }),
  };
}

function tagsOf(delivery: Delivery, tags: AwsConfig['tags']): SecretsManager.Tag[] {
  return Object.entries({ ...tags, ...ownerTags(delivery) }).map(([Key, Value]) => ({ Key, Value }));
}

function refuseForeign(name: string, tags: SecretsManager.Tag[], delivery: Delivery): void {
  const valueOf = new Map(tags.map(({ Key, Value }) => [Key, Value]));
  const wanted = ownerTags(delivery);
  if (Object.values(OWNER_TAGS).every((key) => valueOf.get(key) === wanted[key])) return;
  const asWritten = Object.entries(wanted).map(([key, value]) => `${key}=${value}`);
  throw new SinkRejectedError(
    valueOf.has(OWNER_TAGS.orgId)
      ? `secret ${name} holds the token of other organizations: name {orgId} and {sourceOrgId} in secretName, then redeliver`
      : `secret ${name} was made by another hand: correct secretName, or tag the secret ${asWritten.join(' and ')} to let this sink write it, then redeliver`,
  );
}
