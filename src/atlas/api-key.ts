import { createDigest } from '../digest';
import type { ApiKeyConfig } from './credential-config';
import type { Credential } from './credential';
import type { Send } from './messages';

/** An API key: HTTP Digest. A challenge answers 401 before Atlas acts, so it creates nothing. */
export function createApiKey({ publicKey, privateKey }: ApiKeyConfig, send: Send): Credential {
  const withDigest = createDigest(publicKey, privateKey);
  return {
    send: (request) =>
      withDigest({ ...request, uri: request.path }, (headers) => send({ ...request, headers })),
    close: () => Promise.resolve(),
  };
}
