/** Which endpoint is meant: creating a link-token, fetching an OAuth access token, or listing organizations. */
export type Endpoint = 'linkTokens' | 'oauthToken' | 'orgs';

export interface AtlasRequest {
  endpoint: Endpoint;
  method: 'GET' | 'POST';
  /** Below the base URL, with its query. */
  path: string;
  headers: Record<string, string>;
  body?: string;
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
