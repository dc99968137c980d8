import { DigestClient } from 'digest-fetch';
import type { ApiKeyConfig } from './credential-config';
import type { Credential } from './credential';
import type { AtlasRequest, Send } from './messages';

/** Under many concurrent attempts a nonce can run out again before its renewal is used. */
const MAX_CHALLENGES = 3;

/**
 * An API key: HTTP Digest, the nonce kept so that only the first request pays a challenge. A challenge answers 401
 * before Atlas acts, so it creates nothing.
 *
 * digest-fetch computes the header; its own `fetch` is not used, since it raises `nc` only after the answer, so that
 * concurrent requests repeat one another's `nc`, which a server has to refuse as a replay.
 */
export function createApiKey(config: ApiKeyConfig, send: Send): Credential {
  let client = new DigestClient(config.publicKey.read(), config.privateKey.read());
  /** Requests signed with the nonce of `client`. */
  let count = 0;

  function authorized(request: AtlasRequest): AtlasRequest {
    // `nc` is hexadecimal (RFC 7616, 3.4); digest-fetch would write a number in decimal.
    Object.assign(client.digest, { nc: (++count).toString(16) });
    const { headers } = client.addAuth(request.path, {
      method: request.method,
      headers: { ...request.headers },
    }) as Pick<AtlasRequest, 'headers'>;
    return { ...request, headers };
  }

  return {
    async send(request) {
      let answer = await send(authorized(request));
      for (let challenges = 1; challenges <= MAX_CHALLENGES && answer.status === 401; challenges++) {
        if (!answer.challenge) break;
        if (challenges > 1 && !/stale="?true/i.test(answer.challenge)) break;
        // Read anew, so that a rotated key needs no restart.
        client = new DigestClient(config.publicKey.read(), config.privateKey.read());
        client.parseAuth(answer.challenge);
        count = 0;
        answer = await send(authorized(request));
      }
      return answer;
    },
    close: () => Promise.resolve(),
  };
}
