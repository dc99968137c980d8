import { DigestClient } from 'digest-fetch';
import type { Secret } from '../secrets';
import type { HttpAnswer, HttpCall, HttpRequest } from './http-call';

/** Under many concurrent requests a nonce can run out again before its renewal is used. */
const MAX_CHALLENGES = 3;

/**
 * Adds HTTP Digest to a call; the nonce is kept, so that only the first request pays a challenge. The peer acts on no
 * request that it answers with a challenge.
 *
 * digest-fetch computes the header; its own `fetch` is not used, since it raises `nc` only after the answer, so that
 * concurrent requests repeat one another's `nc`, which a server has to refuse as a replay.
 */
export function withDigest(call: HttpCall, username: Secret, password: Secret): HttpCall {
  let client = new DigestClient(username.read(), password.read());

  function authorized(request: HttpRequest): HttpRequest {
    const { headers } = client.addAuth(request.url.pathname, {
      method: request.method,
      headers: { ...request.headers },
    }) as Pick<HttpRequest, 'headers'>;
    client.digest.nc++;
    return { ...request, headers };
  }

  /** The first challenge is part of the scheme; a further one means a wrong key, unless it says `stale`. */
  function isWorthAnswering({ status, challenge }: HttpAnswer, challenges: number): boolean {
    if (status !== 401 || challenge === null) return false;
    return challenges === 0 || /stale="?true/i.test(challenge);
  }

  return async (request, signal) => {
    let answer = await call(authorized(request), signal);
    for (
      let challenges = 0;
      challenges < MAX_CHALLENGES && isWorthAnswering(answer, challenges);
      challenges++
    ) {
      // Read anew, so that a rotated key needs no restart.
      client = new DigestClient(username.read(), password.read());
      client.parseAuth(answer.challenge);
      answer = await call(authorized(request), signal);
    }
    return answer;
  };
}
