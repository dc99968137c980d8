import { DEFAULTS, startAtlasEmulator, type AtlasEmulator } from '../../../dev/atlas-emulator';
import { createAdminApi, type AdminApi, type AdminApiOptions } from '../../../src/atlas/admin-api';
import type { CredentialConfig } from '../../../src/atlas/credential';
import type { AtlasOutcome } from '../../../src/atlas/outcomes';
import type { Secret } from '../../../src/secrets/references';
import { closeLater } from '../../support/clean-up';

export const { orgId: ORG } = DEFAULTS;
export const ADDRESSES = ['192.31.196.7'];

const secretOf = (value: string): Secret => ({ source: 'the test', read: () => value });

export const KEY = DEFAULTS.apiKey;
export const ACCOUNT = { ...DEFAULTS.serviceAccount, orgId: ORG };

export const KINDS = ['serviceAccount', 'apiKey'] as const;
export type Kind = (typeof KINDS)[number];

export const CREDENTIALS = {
  serviceAccount: {
    type: 'serviceAccount',
    clientId: secretOf(ACCOUNT.clientId),
    clientSecret: secretOf(ACCOUNT.clientSecret),
  },
  apiKey: { type: 'apiKey', publicKey: secretOf(KEY.publicKey), privateKey: secretOf(KEY.privateKey) },
} as const satisfies Record<Kind, CredentialConfig>;

/** The client, for one credential named `default`; it is closed after the test. */
export function atlasAt(
  { url }: { url: string },
  credential: CredentialConfig,
  options: Partial<AdminApiOptions> = {},
): AdminApi {
  const atlas = createAdminApi({
    baseUrl: url,
    // Longer than fifty requests at once take on a busy machine.
    requestTimeoutMs: 60_000,
    envelope: false,
    pretty: false,
    backoff: { initialIntervalMs: 0, backoffCoefficient: 1, maximumIntervalMs: 0 },
    credentials: new Map([['default', credential]]),
    ...options,
  });
  return closeLater(atlas);
}

/** The client and an emulator of its own, without Atlas's rate limit, which is not what these tests are about. */
export async function start(
  credential: Kind | CredentialConfig,
  options?: Partial<AdminApiOptions>,
): Promise<[atlas: AdminApi, emulator: AtlasEmulator]> {
  const emulator = closeLater(
    await startAtlasEmulator({ seed: { settings: { rateLimit: { enabled: false } } } }),
  );
  const config = typeof credential === 'string' ? CREDENTIALS[credential] : credential;
  return [atlasAt(emulator, config, options), emulator];
}

/** The part of an AtlasError that says so. */
export const failedWith = (details: AtlasOutcome['details']) => ({ outcome: { details } });

export const fifty = <T>(work: () => Promise<T>) => Promise.all(Array.from({ length: 50 }, work));

export function create(
  atlas: AdminApi,
  signal = new AbortController().signal,
  credential = 'default',
): Promise<string> {
  return atlas.createLinkToken(ORG, ADDRESSES, credential, signal);
}
