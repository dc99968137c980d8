import { DigestClient } from 'digest-fetch';
import type { Secret } from './secrets';

/** Under many concurrent requests a nonce can run out again before its renewal is used. */
const MAX_CHALLENGES = 3;

/** What Digest signs, and where the signature goes. */
interface SignedPart {
  method: string;
  /** Path and query. */
  uri: string;
  headers: Record<string, string>;
}

/** Sends a request with the headers it is given, and again when the answer is a challenge. */
export type DigestSend = <Answer extends { status: number; challenge: string | null }>(
  request: SignedPart,
  send: (headers: Record<string, string>) => Promise<Answer>,
) => Promise<Answer>;

/**
 * HTTP Digest (RFC 7616). The nonce is kept, so that only the first request pays a challenge; a server acts on no
 * request that it answers with one.
 *
 * digest-fetch computes the header; its own `fetch` is not used, since it raises `nc` only after the answer, so that
 * concurrent requests repeat one another's `nc`, which a server has to refuse as a replay.
 */
export function createDigest(username: Secret, password: Secret): DigestSend {
  let client = new DigestClient(username.read(), password.read());
  /** Requests signed with the nonce of `client`. */
  let count = 0;

  function sign({ uri, method, headers }: SignedPart): Record<string, string> {
    // `nc` is hexadecimal (RFC 7616, 3.4); digest-fetch would write a number in decimal.
    Object.assign(client.digest, { nc: (++count).toString(16) });
    return (client.addAuth(uri, { method, headers: { ...headers } }) as Pick<SignedPart, 'headers'>).headers;
  }

  function adopt(challenge: string): void {
    // Read anew, so that a rotated key needs no restart.
    client = new DigestClient(username.read(), password.read());
    client.parseAuth(challenge);
    count = 0;
  }

  return async (request, send) => {
    let answer = await send(sign(request));
    for (let challenges = 0; challenges < MAX_CHALLENGES; challenges++) {
      const { status, challenge } = answer;
      if (status !== 401 || challenge === null) break;
      // The first challenge is part of the scheme; a further one means a wrong key, unless it says `stale`.
      if (challenges > 0 && !/stale="?true/i.test(challenge)) break;
      adopt(challenge);
      answer = await send(sign(request));
    }
    return answer;
  };
}
