import { z } from 'zod';
import { asHeaderSecret, headerSecret, problemOf } from '../checked-secret';
import { secretFromEnv, type ReferenceContext, type Secret } from '../secrets';

export interface ServiceAccountConfig {
  type: 'serviceAccount';
  clientId: Secret;
  clientSecret: Secret;
}

export interface ApiKeyConfig {
  type: 'apiKey';
  publicKey: Secret;
  privateKey: Secret;
}

export type CredentialConfig = ServiceAccountConfig | ApiKeyConfig;

/** The credential that the environment gives is known under this name. */
const DEFAULT_CREDENTIAL = 'default';

/** Schema of `atlas.credentials`: credentials by name, and the one of the environment. */
export function credentialsSchema(context: ReferenceContext) {
  const part = headerSecret(context);
  const credential = z.discriminatedUnion('type', [
    z.strictObject({ type: z.literal('serviceAccount'), clientId: part, clientSecret: part }),
    z.strictObject({ type: z.literal('apiKey'), publicKey: part, privateKey: part }),
  ]);
  return z
    .record(z.string().min(1), credential)
    .default({})
    .superRefine(
      (named, issues) => {
        const { credential: fromEnv, problems } = credentialOfEnv(context);
        problems.forEach((problem) => issues.addIssue(problem));
        if (Object.keys(named).length === 0 && !fromEnv && problems.length === 0) {
          issues.addIssue(
            'there is no credential: set MONGODB_ATLAS_CLIENT_ID and MONGODB_ATLAS_CLIENT_SECRET (service account), or MONGODB_ATLAS_PUBLIC_API_KEY and MONGODB_ATLAS_PRIVATE_API_KEY, or name credentials here',
          );
        }
        // Even when the named ones have problems, after which zod skips checks.
      },
      { when: () => true },
    )
    .transform((named): Map<string, CredentialConfig> => {
      const { credential: fromEnv } = credentialOfEnv(context);
      const credentials = new Map<string, CredentialConfig>(Object.entries(named));
      if (fromEnv) credentials.set(DEFAULT_CREDENTIAL, fromEnv);
      return credentials;
    });
}

const PAIRS = {
  serviceAccount: ['MONGODB_ATLAS_CLIENT_ID', 'MONGODB_ATLAS_CLIENT_SECRET'],
  apiKey: ['MONGODB_ATLAS_PUBLIC_API_KEY', 'MONGODB_ATLAS_PRIVATE_API_KEY'],
} as const;

function credentialOfEnv({ env }: ReferenceContext): { credential?: CredentialConfig; problems: string[] } {
  const secret = (name: string) => asHeaderSecret(secretFromEnv(name, { env }));
  const found = Object.values(PAIRS).filter((pair) => pair.some((name) => env[name]));
  const problems = found.flat().flatMap((name) => problemOf(secret(name)) ?? []);
  if (found.length > 1) {
    problems.push('both a service account and an API key are in the environment: keep one');
  }
  if (found.length === 0 || problems.length > 0) return { problems };
  const { serviceAccount, apiKey } = PAIRS;
  const credential: CredentialConfig =
    found[0] === apiKey
      ? { type: 'apiKey', publicKey: secret(apiKey[0]), privateKey: secret(apiKey[1]) }
      : {
          type: 'serviceAccount',
          clientId: secret(serviceAccount[0]),
          clientSecret: secret(serviceAccount[1]),
        };
  return { credential, problems };
}
