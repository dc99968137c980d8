import type { z } from 'zod';
import { headerFormat, secretReference, type ReferenceContext } from '../../secrets/read-secret';
import { SinkRejectedError, toStoredToken, type Delivery, type Sink, type SinkType } from '../sink';
import { httpConfig, httpUrl } from '../utils/http-config';
import { completeIds, plainPath, templateSchema } from '../utils/name-template';
import { createKv } from './kv';
import { createVaultClient } from './vault-client';

const configSchema = (context: ReferenceContext) =>
  httpConfig('address', {
    address: httpUrl,
    namespace: plainPath.optional(),
    mount: plainPath.default('secret'),
    path: templateSchema,
    token: secretReference(context, headerFormat),
  });

type Config = z.output<ReturnType<typeof configSchema>>;

/** Stores each token in HashiCorp Vault or OpenBao, in a key/value engine of version 2. */
export const vaultSink: SinkType<Config> = { type: 'vault', configSchema, create: createVaultSink };

function createVaultSink({
  address,
  namespace,
  mount,
  path: template,
  token,
  timeoutMs,
}: Config): Sink {
  const client = createVaultClient(address, namespace, token, timeoutMs);
  const { server, identity } = client;
  const kv = createKv(client, mount);

  return {
    needsSourceOrgId: template.uses('sourceOrgId'),

    /** Writes only over the version that it read: a retry after a lost response writes nothing. */
    async deliver(delivery, signal) {
      const path = template.fill(delivery);
      const { data, version } = await kv.read(path, signal);
      const locate = (ofVersion: number) => `${mount}/${path} version ${ofVersion} in ${server}`;
      if (data?.['deliveryId'] === delivery.deliveryId) return locate(version);
      const reason = data && findReasonToKeep(data, delivery);
      if (reason !== null) throw new SinkRejectedError(`${mount}/${path} ${reason}`);
      return locate(await kv.write(path, toStoredToken(delivery), version, signal));
    },

    async check(target, signal) {
      const path = template.fill(completeIds(target));
      // It asks for the version of the engine again.
      const newKv = createKv(client, mount);
      await newKv.read(path, signal);
      await newKv.requireVersion2(signal);
      return `${server} accepts ${identity}, which may read ${mount}/${path}`;
    },
  };
}

/** @returns null for an older token of the same organizations. */
function findReasonToKeep(data: Record<string, unknown>, delivery: Delivery): string | null {
  if (typeof data['deliveryId'] !== 'string') {
    return (
      'holds a value that was not written by this sink: ' +
      'move it away, or correct path and restart the workers; then redeliver'
    );
  }
  if (data['orgId'] !== delivery.orgId || (data['sourceOrgId'] ?? null) !== delivery.sourceOrgId) {
    return (
      'holds the token of other organizations: ' +
      'put {orgId} and {sourceOrgId} into path, restart the workers, then redeliver'
    );
  }
  if (Date.parse(String(data['createdAt'])) > Date.parse(delivery.createdAt)) {
    return (
      'holds a newer token of these organizations:' +
      ' use that one, or redeliver this one to another sink'
    );
  }
  return null;
}
