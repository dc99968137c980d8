import { z } from 'zod';
import { createHttpCall } from './http-call';
import { below, httpFields, httpUrl, withoutPlainHttp } from './http-url';
import { factsOf, storedTokenOf } from './payload';
import { SinkRejectedError, SinkUnavailableError, type Delivery, type Sink, type SinkType } from './sink';
import { PATH_RULE, plainPath, templateSchema, type Template } from './template';
import { createVaultIdentity, vaultAuthSchema, type VaultAuthConfig, type VaultSend } from './vault-auth';
import { createKv, type KvSecret } from './vault-kv';

interface VaultConfig {
  address: URL;
  namespace?: string | undefined;
  mount: string;
  path: Template;
  auth: VaultAuthConfig;
  timeoutMs: number;
}

/** Keeps each token in HashiCorp Vault or OpenBao, in a key/value engine of version 2. */
export const vaultSink: SinkType<VaultConfig> = {
  type: 'vault',
  configSchema: (context) =>
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
    ),
  create: (config) => Promise.resolve(createVaultSink(config)),
};

/** Writes that come between are rare, and each makes us look again; as many as this are a quarrel. */
const MAX_LOOKS = 5;

function createVaultSink({ mount, path: template, auth, ...server }: VaultConfig): Sink {
  const peer = `Vault at ${server.address.origin}`;
  const send = createSend(peer, server);
  const identity = createVaultIdentity(peer, auth, send);
  const kv = createKv(peer, mount, identity, send);

  /** Looks first and writes only over what it saw, so that a repetition after a lost answer writes nothing. */
  async function writeOnce(path: string, delivery: Delivery, signal: AbortSignal): Promise<KvSecret> {
    for (let looks = 0; looks < MAX_LOOKS; looks++) {
      const found = await kv.read(path, signal);
      if (found.data?.['deliveryId'] === delivery.deliveryId) return found;
      refuseToOverwrite(found.data, delivery, `${mount}/${path}`);
      const version = await kv.write(path, storedTokenOf(delivery), found.version, signal);
      if (version !== null) return { ...found, version };
    }
    throw new SinkUnavailableError(
      `${mount}/${path} was written by others, each of ${MAX_LOOKS} times we tried`,
    );
  }

  return {
    needsSourceOrgId: template.uses('sourceOrgId'),
    async deliver(delivery, signal) {
      const path = template.fill(delivery);
      const { version, customMetadata } = await writeOnce(path, delivery, signal);
      if (customMetadata['deliveryId'] !== delivery.deliveryId) {
        await kv.patchMetadata(path, { sourceOrgId: null, ...factsOf(delivery) }, signal);
      }
      return `${mount}/${path} version ${version} in ${peer}`;
    },
    async check() {
      await identity.token(new AbortController().signal);
      return `${peer} is configured; a token for it can be had`;
    },
  };
}

/** Only an older token of the same two organizations gives way. */
function refuseToOverwrite(
  data: KvSecret['data'],
  { orgId, sourceOrgId, createdAt }: Delivery,
  place: string,
): void {
  if (!data) return;
  const reasons: [boolean, string][] = [
    [
      typeof data['deliveryId'] !== 'string',
      'holds what another hand wrote: move it away or correct path, then redeliver',
    ],
    [
      data['orgId'] !== orgId || (data['sourceOrgId'] ?? null) !== sourceOrgId,
      'holds the token of other organizations: name {orgId} and {sourceOrgId} in path, then redeliver',
    ],
    [
      Date.parse(String(data['createdAt'])) > Date.parse(createdAt),
      'holds a newer token of these organizations: use that one, or redeliver this one to another sink',
    ],
  ];
  const reason = reasons.find(([holds]) => holds);
  if (reason) throw new SinkRejectedError(`${place} ${reason[1]}`);
}

function createSend(
  peer: string,
  { address, namespace, timeoutMs }: Pick<VaultConfig, 'address' | 'namespace' | 'timeoutMs'>,
): VaultSend {
  const call = createHttpCall(peer, timeoutMs);
  return ({ method, path, token, body }, signal) =>
    call(
      {
        method,
        url: below(address, `/v1/${path}`),
        headers: {
          'content-type': method === 'PATCH' ? 'application/merge-patch+json' : 'application/json',
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
