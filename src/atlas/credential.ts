import { z } from 'zod';
import type { HttpResponse } from '../http/response';
import {
  headerFormat,
  textOrReference,
  secretReference,
  type ReferenceContext,
} from '../secrets/read-secret';

export function credentialSchema(context: ReferenceContext) {
  const id = textOrReference(context, headerFormat);
  const secret = secretReference(context, headerFormat);
  return z.discriminatedUnion(
    'type',
    [
      z.strictObject({ type: z.literal('serviceAccount'), clientId: id, clientSecret: secret }),
      z.strictObject({ type: z.literal('apiKey'), publicKey: id, privateKey: secret }),
    ],
    'is not a type of credential: write type: serviceAccount or type: apiKey',
  );
}

export type CredentialConfig = z.output<ReturnType<typeof credentialSchema>>;
export type ServiceAccountConfig = Extract<CredentialConfig, { type: 'serviceAccount' }>;

export type Endpoint =
  'linkTokens' | 'availableProjects' | 'oauthToken' | 'orgs' | 'apiKeys' | 'deleteApiKey';

export interface AtlasRequest {
  endpoint: Endpoint;
  method: 'GET' | 'POST' | 'DELETE';
  /** Path below the base URL, with the query. */
  path: string;
  headers: Record<string, string>;
  body?: string;
  /** True right after a success of another request, so that a 401 means a missing role. */
  followsSuccess?: boolean;
}

/** @throws AtlasError when no complete response arrives. */
export type Send = (request: AtlasRequest) => Promise<HttpResponse>;

export interface Credential {
  /**
   * Renews an expired access token or nonce and sends again: the rejected request created nothing.
   *
   * @throws AtlasError when no complete response arrives or Atlas grants no access token;
   *   SecretUnavailableError.
   */
  send(request: AtlasRequest): Promise<HttpResponse>;
}
