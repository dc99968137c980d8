import { z } from 'zod';
import { headerFormat, secretReference, type ReferenceContext } from '../secrets';

/** Makes the schema of a credential for the Atlas Administration API: a service account or an API key. */
export function credentialSchema(context: ReferenceContext) {
  const part = secretReference(context, headerFormat);
  return z.discriminatedUnion(
    'type',
    [
      z.strictObject({ type: z.literal('serviceAccount'), clientId: part, clientSecret: part }),
      z.strictObject({ type: z.literal('apiKey'), publicKey: part, privateKey: part }),
    ],
    'is not a credential: write type: serviceAccount or type: apiKey',
  );
}

export type CredentialConfig = z.output<ReturnType<typeof credentialSchema>>;
export type ServiceAccountConfig = Extract<CredentialConfig, { type: 'serviceAccount' }>;
export type ApiKeyConfig = Extract<CredentialConfig, { type: 'apiKey' }>;
