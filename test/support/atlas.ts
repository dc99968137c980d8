import { randomBytes, randomUUID } from 'node:crypto';
import { startAtlasEmulator, type AtlasEmulator, type SeedInput } from '../../dev/atlas-emulator';
import type { PrepareRequest } from '../../src/contract/schemas';
import { cleanUpLater } from './clean-up';
import { newOrgId } from './ids';

export type CredentialType = 'serviceAccount' | 'apiKey';

/** An organization at the emulator, with a credential of each kind. */
export interface AtlasAccount {
  orgId: string;
  clientId: string;
  clientSecret: string;
  publicKey: string;
  privateKey: string;
  /** An organization at Cloud Manager, with an API key. */
  sourceOrgId: string;
  sourcePublicKey: string;
  sourcePrivateKey: string;
}

export interface TestAtlas extends AtlasEmulator {
  account: AtlasAccount;
  /** Requests that ask for a link-token; a Digest challenge is none. */
  posts(): { startedAt: string; status: number | null }[];
  /** Counts the tokens that were created for a request with an address of its own. */
  created(request: Pick<PrepareRequest, 'accessListIps'>): number;
}

interface TestAtlasOptions {
  port?: number;
  https?: { key: string; cert: string };
  account?: AtlasAccount;
  /** More organizations, each with credentials of its own. */
  others?: readonly AtlasAccount[];
  settings?: SeedInput['settings'];
}

export function newAccount(): AtlasAccount {
  return {
    orgId: newOrgId(),
    clientId: `mdb_sa_id_${newOrgId()}`,
    clientSecret: `mdb_sa_sk_${randomBytes(30).toString('base64url')}`,
    publicKey: `test${randomBytes(2).toString('hex')}`,
    privateKey: randomUUID(),
    sourceOrgId: newOrgId(),
    sourcePublicKey: `srce${randomBytes(2).toString('hex')}`,
    sourcePrivateKey: randomUUID(),
  };
}

/** Makes the seed of an emulator with these accounts and without a rate limit. */
export function seedOf(accounts: readonly AtlasAccount[], settings: SeedInput['settings'] = {}): SeedInput {
  return {
    organizations: accounts.map(({ orgId }) => ({ id: orgId, name: 'Test organization' })),
    serviceAccounts: accounts.map(({ clientId, clientSecret, orgId }) => ({ clientId, clientSecret, orgId })),
    sourceOrganizations: accounts.map(({ sourceOrgId }) => ({ id: sourceOrgId, name: 'Test source' })),
    apiKeys: accounts.flatMap(({ publicKey, privateKey, orgId, ...source }) => [
      { publicKey, privateKey, orgId },
      {
        publicKey: source.sourcePublicKey,
        privateKey: source.sourcePrivateKey,
        orgId: source.sourceOrgId,
      },
    ]),
    settings: { rateLimit: { enabled: false }, ...settings },
  };
}

/** Starts an emulator with one organization of its own, or with more, and no rate limit; gone after the last test. */
export async function startAtlas({
  account = newAccount(),
  others = [],
  settings,
  ...options
}: TestAtlasOptions = {}): Promise<TestAtlas> {
  const emulator = await startAtlasEmulator({
    ...options,
    seed: seedOf([account, ...others], settings),
  });
  cleanUpLater(() => emulator.close());
  return {
    ...emulator,
    account,
    posts: () => emulator.requestsOn('linkTokens').filter(({ challenge }) => !challenge),
    created: ({ accessListIps: [address = ''] }) =>
      emulator.createdTokens().filter((token) => token.accessListIps.includes(address)).length,
  };
}

export function credentialEnv(account: AtlasAccount, type: CredentialType): Record<string, string> {
  return type === 'serviceAccount'
    ? {
        MONGODB_ATLAS_CLIENT_ID: account.clientId,
        MONGODB_ATLAS_CLIENT_SECRET: account.clientSecret,
      }
    : {
        MONGODB_ATLAS_PUBLIC_API_KEY: account.publicKey,
        MONGODB_ATLAS_PRIVATE_API_KEY: account.privateKey,
      };
}

/**
 * Section `atlas` of a configuration in which each of these accounts has a credential of its own, beside the one of the
 * environment, and what the section refers to.
 */
export function organizationsOf(
  { account }: Pick<TestAtlas, 'account'>,
  others: readonly { account: AtlasAccount; type: CredentialType }[],
  sinks: readonly string[],
): { atlas: object; env: Record<string, string> } {
  const env: Record<string, string> = {};
  const credentials: Record<string, object> = {};
  const organizations: Record<string, object> = { [account.orgId]: { credential: 'default', sinks } };
  const secret = (value: string) => {
    const name = `SECRET_${Object.keys(env).length}`;
    env[name] = value;
    return { env: name };
  };
  for (const { account: other, type } of others) {
    const { orgId, clientId, clientSecret, publicKey, privateKey } = other;
    const named = type === 'serviceAccount' ? { clientId, clientSecret } : { publicKey, privateKey };
    const fields = Object.entries(named).map(([field, value]) => [field, secret(value)] as const);
    credentials[`of-${orgId}`] = { type, ...Object.fromEntries(fields) };
    organizations[orgId] = { credential: `of-${orgId}`, sinks };
  }
  return { atlas: { credentials, organizations }, env };
}
