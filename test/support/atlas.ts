import { randomBytes, randomUUID } from 'node:crypto';
import {
  startAtlasEmulator,
  type AtlasEmulatorOptions,
  type SeedInput,
} from '../../dev/atlas-emulator';
import type { PrepareRequest } from '../../src/contract/schemas';
import { closeLater } from './clean-up';
import { newOrgId } from './ids';

export type AtlasAccount = ReturnType<typeof newAccount>;

export type TestAtlas = Awaited<ReturnType<typeof startAtlas>>;

/**
 * Creates an organization with a credential of each kind, and one of Cloud Manager with an API key.
 */
export function newAccount() {
  return {
    orgId: newOrgId(),
    clientId: `mdb_sa_id_${newOrgId()}`,
    clientSecret: `mdb_sa_sk_${randomBytes(30).toString('base64url')}`,
    publicKey: randomBytes(4).toString('hex'),
    privateKey: randomUUID(),
    sourceOrgId: newOrgId(),
    sourcePublicKey: randomBytes(4).toString('hex'),
    sourcePrivateKey: randomUUID(),
  };
}

/** Creates the seed of an emulator with these accounts and without rate limits. */
export function seedOf(accounts: readonly AtlasAccount[]): SeedInput {
  return {
    organizations: accounts.map(({ orgId }) => ({ id: orgId, name: 'Test organization' })),
    serviceAccounts: accounts.map(({ clientId, clientSecret, orgId }) => ({
      clientId,
      clientSecret,
      orgId,
    })),
    sourceOrganizations: accounts.map(({ sourceOrgId }) => ({
      id: sourceOrgId,
      name: 'Test source',
    })),
    apiKeys: accounts.flatMap(({ publicKey, privateKey, orgId, ...source }) => [
      { publicKey, privateKey, orgId },
      {
        publicKey: source.sourcePublicKey,
        privateKey: source.sourcePrivateKey,
        orgId: source.sourceOrgId,
      },
    ]),
    settings: { rateLimit: { enabled: false }, accessTokensPerMinute: null },
  };
}

/**
 * Starts an emulator with one organization of its own, or with others too, and no rate limits; gone
 * after the last test.
 */
export async function startAtlas({
  others = [],
  https,
}: { others?: readonly AtlasAccount[]; https?: AtlasEmulatorOptions['https'] } = {}) {
  const account = newAccount();
  const seed = seedOf([account, ...others]);
  const emulator = closeLater(await startAtlasEmulator({ seed, https }));
  return {
    ...emulator,
    account,
    /** Requests that ask for a link-token, without those that got a Digest challenge. */
    posts: () => emulator.requestsOn('linkTokens').filter(({ challenge }) => !challenge),
    /**
     * Returns the newest link-token that was created for a request, which has an address of its
     * own.
     */
    linkTokenOf({ accessListIps: [address = ''] }: Pick<PrepareRequest, 'accessListIps'>): string {
      const created = emulator
        .createdTokens()
        .findLast((token) => token.accessListIps.includes(address));
      if (!created) throw new Error(`Atlas created no token for ${address}`);
      return created.linkToken;
    },
    /** Counts the tokens that were created for a request, which has an address of its own. */
    created: ({ accessListIps: [address = ''] }: Pick<PrepareRequest, 'accessListIps'>) =>
      emulator.createdTokens().filter((token) => token.accessListIps.includes(address)).length,
  };
}

export function credentialEnv({ clientId, clientSecret }: AtlasAccount): Record<string, string> {
  return { MONGODB_ATLAS_CLIENT_ID: clientId, MONGODB_ATLAS_CLIENT_SECRET: clientSecret };
}
