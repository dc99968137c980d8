import type * as SecretsManager from '@aws-sdk/client-secrets-manager';
import { z } from 'zod';
import { VERSION } from '../../http/version';
import { SinkRejectedError, type Delivery, type Sink, type SinkType } from '../sink';
import { httpFields, httpUrl, withoutPlainHttp } from '../utils/http-config';
import { storedTokenOf } from '../utils/stored-token';
import { SECRET_NAME_RULE, templateSchema } from '../utils/template';
import { withTokenMayBeThere } from '../utils/token-may-be-there';
import { sinkErrorOfAws } from './errors';

const configSchema = () =>
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
  );

type Config = z.output<ReturnType<typeof configSchema>>;

/** Stores each token in AWS Secrets Manager. Credentials come from the SDK's default chain, as in any AWS program. */
export const awsSecretsManagerSink: SinkType<'awsSecretsManager', Config> = {
  type: 'awsSecretsManager',
  configSchema,
  create: async (config) => createAwsSink(config, await import('@aws-sdk/client-secrets-manager')),
};

function createAwsSink(config: Config, sdk: typeof SecretsManager): Sink {
  const { region, secretName, kmsKeyId, endpoint, timeoutMs } = config;
  const { CreateSecretCommand, DescribeSecretCommand, PutSecretValueCommand, ResourceExistsException } = sdk;
  const client = new sdk.SecretsManagerClient({
    region,
    ...(endpoint && { endpoint: endpoint.href }),
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
        const request = { Name: name, ...version, KmsKeyId: kmsKeyId, Tags: tagsOf(delivery, config.tags) };
        try {
          await client.send(new CreateSecretCommand(request), options);
          return true;
        } catch (error) {
          if (error instanceof ResourceExistsException) return false;
          throw error;
        }
      });
      if (created) return location;

      const found = await withTokenMayBeThere(
        false,
        call('DescribeSecret', (options) =>
          client.send(new DescribeSecretCommand({ SecretId: name }), options),
        ),
      );
      if (found.VersionIdsToStages?.[delivery.deliveryId]) return location;
      refuseForeign(name, found.Tags ?? [], delivery);
      await call('PutSecretValue', (options) =>
        client.send(new PutSecretValueCommand({ SecretId: name, ...version }), options),
      );
      return location;
    },
  };

  /** Calls one action for one secret, with the timeout and with errors of the sink. */
  function createCall(name: string, signal: AbortSignal) {
    return async <Output>(
      action: string,
      send: (options: SendOptions) => Promise<Output>,
    ): Promise<Output> => {
      signal.throwIfAborted();
      try {
        return await send({ abortSignal: AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]) });
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

function ownerTags({ orgId, sourceOrgId }: Delivery): Record<string, string> {
  return {
    [OWNER_TAGS.orgId]: orgId,
    ...(sourceOrgId !== null && { [OWNER_TAGS.sourceOrgId]: sourceOrgId }),
  };
}

function tagsOf(delivery: Delivery, tags: Config['tags']): SecretsManager.Tag[] {
  return Object.entries({ ...tags, ...ownerTags(delivery) }).map(([Key, Value]) => ({ Key, Value }));
}

function refuseForeign(name: string, tags: SecretsManager.Tag[], delivery: Delivery): void {
  const valueOf = new Map(tags.map(({ Key, Value }) => [Key, Value]));
  const wanted = ownerTags(delivery);
  if (Object.values(OWNER_TAGS).every((key) => valueOf.get(key) === wanted[key])) return;
  const wantedTags = Object.entries(wanted)
    .map(([key, value]) => `${key}=${value}`)
    .join(' and ');
  throw new SinkRejectedError(
    valueOf.has(OWNER_TAGS.orgId)
      ? `secret ${name} holds the token of other organizations: put {orgId} and {sourceOrgId} into secretName, then redeliver`
      : `secret ${name} was not created by this sink: correct secretName, or tag the secret ${wantedTags} to let this sink write it, then redeliver`,
    { tokenMayBeThere: false },
  );
}
