import { quote } from '../contract/printable';
import type { HttpResponse } from '../http/send';
import { parseErrorBody, type AtlasErrorBody } from './error-body';
import type { Endpoint } from './messages';

/** Thrown when Atlas responded, but not with what was requested. */
export class AtlasResponseError extends Error {
  override readonly name = 'AtlasResponseError';
  readonly status: number;
  readonly body: AtlasErrorBody;
  readonly retryAfterMs: number | undefined;

  constructor(
    readonly endpoint: Endpoint,
    response: Pick<HttpResponse, 'status' | 'json' | 'retryAfterMs'>,
  ) {
    super(`Atlas returned ${response.status}`);
    this.status = response.status;
    this.body = parseErrorBody(response.json);
    this.retryAfterMs = response.retryAfterMs;
  }
}

/** Thrown when no complete response arrived. */
export class AtlasConnectionError extends Error {
  override readonly name = 'AtlasConnectionError';

  /**
   * @param written whether the request was written, so that Atlas may have acted on it.
   * @param code of Node, OpenSSL or undici, such as ECONNREFUSED; `TIMEOUT` for our own request timeout.
   */
  constructor(
    readonly endpoint: Endpoint,
    readonly written: boolean,
    readonly code: string,
  ) {
    super(`no complete response from Atlas (${code})`);
  }
}

/** Thrown before anything is sent: the worker's configuration has no credential of this name. */
export class CredentialNotConfiguredError extends Error {
  override readonly name = 'CredentialNotConfiguredError';

  constructor(credentialName: string) {
    super(
      `the worker has no credential named ${quote(credentialName)}: configure it under atlas.credentials, or correct its name under atlas.organizations, then restart the worker`,
    );
  }
}
