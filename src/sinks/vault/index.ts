import { z } from 'zod';
import type { ReferenceContext } from '../../secrets';
import { SinkRejectedError, SinkUnavailableError, type Delivery, type Sink, type SinkType } from '../sink';
import { createSinkSend, joinUrl } from '../utils/http-client';
import { httpFields, httpUrl, withoutPlainHttp } from '../utils/http-config';
import { storedTokenOf } from '../utils/stored-token';
import { PATH_RULE, completeIds, plainPath, templateSchema } from '../utils/template';
import { createVaultIdentity, vaultAuthSchema, type VaultSend } from './identity';
import { createKv, type KvSecret } from './kv';

const configSchema = (context: ReferenceContext) =>
  withoutPlainHttp(
    z.strictObject({
      address: httpUrl,
      namespace: plainPath.optional(),
      mount: plainPath.default('secret'),
      path: templateSchema(PATH_RULE),
      auth: vaultAuthSchema(context),
      ...httpFields,
    }),
    'address',
  );

type Config = z.output<ReturnType<typeof configSchema>>;

/** Stores each token in HashiCorp Vault or OpenBao, in a key/value engine of version 2. */
export const vaultSink: SinkType<'vault', Config> = { type: 'vault', configSchema, create: createVaultSink };

/** Ends the attempt after this many concurrent writes by others. */
const MAX_READS = 5;

function createVaultSink({ mount, path: template, auth, ...connection }: Config): Sink {
  const server = `Vault at ${connection.address.origin}`;
  const send = createVaultSend(server, connection);
  const identity = createVaultIdentity(server, auth, send);
  const kv = createKv(server, mount, identity, send);

  /** Reads first and writes only over what it read, so that a retry after a lost response writes nothing. */
  async function writeOnce(path: string, delivery: Delivery, signal: AbortSignal): Promise<number> {
    for (let reads = 0; reads < MAX_READS; reads++) {
      const found = await kv.read(path, signal);
      if (found.data?.['deliveryId'] === delivery.deliveryId) return found.version;
      refuseToOverwrite(found.data, delivery, `${mount}/${path}`);
      const version = await kv.write(path, storedTokenOf(delivery), found.version, signal);
      if (version !== null) return version;
    }
    throw new SinkUnavailableError(`${mount}/${path} was written by others ${MAX_READS} times in a row`);
  }

  return {
    needsSourceOrgId: template.uses('sourceOrgId'),
    async deliver(delivery, signal) {
      const path = template.fill(delivery);
      const version = await writeOnce(path, delivery, signal);
      return `${mount}/${path} version ${version} in ${server}`;
    },
    async check(target, signal) {
      const accepted = `${server} accepts ${await identity.check(signal)}`;
      if (!target) return accepted;
      const path = template.fill(completeIds(target));
      await kv.read(path, signal);
      return `${accepted}, which may read ${mount}/${path}`;
    },
  };
}

/** Only an older token of the same two organizations is overwritten. */
function refuseToOverwrite(
  data: KvSecret['data'],
  { orgId, sourceOrgId, createdAt }: Delivery,
  place: string,
): void {
  if (!data) return;
  const reasons: [holds: boolean, reason: string][] = [
    [
      typeof data['deliveryId'] !== 'string',
      'holds a value that was not written by this sink: move it away or correct path, then redeliver',
    ],
    [
      data['orgId'] !== orgId || (data['sourceOrgId'] ?? null) !== sourceOrgId,
      'holds the token of other organizations: put {orgId} and {sourceOrgId} into path, then redeliver',
    ],
    [
      Date.parse(String(data['createdAt'])) > Date.parse(createdAt),
      'holds a newer token of these organizations: use that one, or redeliver this one to another sink',
    ],
  ];
  const found = reasons.find(([holds]) => holds);
  if (found) throw new SinkRejectedError(`${place} ${found[1]}`);
}

function createVaultSend(
  server: string,
  { address, namespace, timeoutMs }: Pick<Config, 'address' | 'namespace' | 'timeoutMs'>,
): VaultSend {
  const send = createSinkSend(server, timeoutMs);
  return ({ method, path, token, body }, signal) =>
    send(
      {
        method,
        url: joinUrl(address, `/v1/${path}`),
        headers: {
          'content-type': 'application/json',
          // A Vault Agent may require it, against forged requests.
          'x-vault-request': 'true',
          ...(token !== undefined && { 'x-vault-token': token }),
          ...(namespace !== undefined && { 'x-vault-namespace': namespace }),
        },
        ...(body && { body: JSON.stringify(body) }),
      },
      signal,
    );
}
