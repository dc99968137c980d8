import { createDigest } from '../http/digest';
import type { ApiKeyConfig } from './credential-config';
import type { Credential, Send } from './credential';

/** An API key: HTTP Digest. Atlas sends its challenge before it acts on a request, so a challenge creates nothing. */
export function createApiKey({ publicKey, privateKey }: ApiKeyConfig, send: Send): Credential {
  const withDigest = createDigest(publicKey, privateKey);
  return {
    send: (request) =>
      withDigest({ ...request, uri: request.path }, (headers) => send({ ...request, headers })),
    close: () => Promise.resolve(),
  };
}
