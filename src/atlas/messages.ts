/** Which of the two endpoints is meant: creating a link-token, or fetching an OAuth access token. */
export type Endpoint = 'linkTokens' | 'oauthToken';

export interface AtlasRequest {
  endpoint: Endpoint;
  method: 'POST';
  /** Below the base URL, with its query. */
  path: string;
  headers: Record<string, string>;
  body: string;
  /** Checked before anything is written. A request under way is never aborted by it: its answer may hold a token. */
  startSignal?: AbortSignal;
}

export interface AtlasAnswer {
  status: number;
  /** Decoded text, cut off at 1 MiB. */
  body: string;
  /** The whole of `WWW-Authenticate`, where there is one. */
  challenge: string | null;
  retryAfterMs: number | undefined;
}

/**
 * Sends one request once and waits for the whole answer, at most the request timeout. No redirect is followed.
 *
 * @throws AtlasConnectionError, or the reason of `startSignal`.
 */
export type Send = (request: AtlasRequest) => Promise<AtlasAnswer>;
