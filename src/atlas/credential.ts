import type { AtlasAnswer, AtlasRequest } from './messages';

/** One identity at Atlas. */
export interface Credential {
  /**
   * Sends a request as this identity. What has merely run out (an access token, a nonce) is renewed once inside the
   * call; the request that Atlas turned away for it created nothing.
   *
   * @throws AtlasConnectionError, and AtlasAnswerError when no access token could be had.
   */
  send(request: AtlasRequest): Promise<AtlasAnswer>;
  /** Gives back what Atlas keeps for it, as far as that can be done; never throws. */
  close(): Promise<void>;
}
