import type { HttpResponse } from '../http/send';
import type { AtlasRequest } from './messages';

/** One identity at Atlas. */
export interface Credential {
  /**
   * Sends a request as this identity. Renews an expired access token or nonce once per call; the rejected request
   * created nothing.
   *
   * @throws AtlasConnectionError; AtlasResponseError when Atlas grants no access token; SecretUnavailableError.
   */
  send(request: AtlasRequest): Promise<HttpResponse>;
  /** Revokes what Atlas keeps for it, as far as that can be done; never throws. */
  close(): Promise<void>;
}
