import { quote } from '../contract/printable';
import type { FailureDetails } from '../contract/schemas';
import type { HttpResponse } from '../http/send';
import { parseErrorBody, type AtlasErrorBody } from './error-body';
import type { Endpoint } from './credential';

export type AtlasErrorDetails = Omit<FailureDetails, 'unconfirmedTokens'>;

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
    // Of a success, nothing is quoted: the body may hold a token, in a field of any name.
    this.body = response.status < 300 ? {} : parseErrorBody(response.json);
    this.retryAfterMs = response.retryAfterMs;
  }
}

/** Thrown when no complete response arrived. */
export class AtlasConnectionError extends Error {
  override readonly name = 'AtlasConnectionError';

  /**
   * @param written whether the request was written, so that Atlas may have acted on it.
   * @param code of Node, OpenSSL or undici, such as ECONNREFUSED; `TIMEOUT` for our own request timeout.
   * @param baseUrl that the request went to.
   */
  constructor(
    readonly endpoint: Endpoint,
    readonly written: boolean,
    readonly code: string,
    readonly baseUrl: string,
  ) {
    super(`no complete response from Atlas (${code})`);
  }
}

/** Thrown instead of sending a request, while Atlas fails or has stopped the requests of this credential. */
export class AtlasCircuitOpenError extends Error {
  override readonly name = 'AtlasCircuitOpenError';
  /** Until the next request may be sent; undefined while another attempt tries one. */
  readonly retryAfterMs: number | undefined;
  readonly details: AtlasErrorDetails;

  /**
   * @param cause what the last request failed with.
   * @param failures how often in a row Atlas has failed.
   */
  constructor(
    credentialName: string,
    cause: { message: string; details: AtlasErrorDetails },
    untilMs: number,
    readonly failures: number,
  ) {
    const waitMs = untilMs - Date.now();
    const until =
      waitMs > 0
        ? `until ${new Date(untilMs).toISOString()}`
        : 'while another attempt tests whether Atlas responds';
    super(
      `not sent: this worker sends no link-token request with credential ${credentialName} ${until}, after this error: ${cause.message}`,
    );
    this.retryAfterMs = waitMs > 0 ? waitMs : undefined;
    this.details = cause.details;
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
