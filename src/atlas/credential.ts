import type { HttpResponse } from '../http/send';

/** Which endpoint a request is for. `linkTokens` creates a link-token. */
export type Endpoint = 'linkTokens' | 'availableProjects' | 'oauthToken' | 'orgs';

export interface AtlasRequest {
  endpoint: Endpoint;
  method: 'GET' | 'POST';
  /** Below the base URL, with its query. */
  path: string;
  headers: Record<string, string>;
  body?: string;
  /** Ends a request that is not yet written, never one that is: its response may hold a token. */
  abortUntilWritten?: AbortSignal;
}

/**
 * Sends one request once and waits for the whole response, at most the request timeout. No redirect is followed.
 *
 * @throws AtlasError when no complete response arrives, or the reason of `abortUntilWritten`.
 */
export type Send = (request: AtlasRequest) => Promise<HttpResponse>;

/** One identity at Atlas. */
export interface Credential {
  /**
   * Sends a request as this identity. Renews an expired access token or nonce once per call; the rejected request
   * created nothing.
   *
   * @throws AtlasError when no complete response arrives or Atlas grants no access token; SecretUnavailableError.
   */
  send(request: AtlasRequest): Promise<HttpResponse>;
  /** Revokes what Atlas keeps for it, as far as that can be done; never throws. */
  close(): Promise<void>;
}
