import { parseErrorBody, type AtlasErrorBody } from './error-body';
import type { AtlasAnswer, Endpoint } from './messages';

/** Thrown when Atlas answered, and the answer is not the one that was asked for. */
export class AtlasAnswerError extends Error {
  override readonly name = 'AtlasAnswerError';
  readonly status: number;
  readonly body: AtlasErrorBody;
  readonly retryAfterMs: number | undefined;

  constructor(
    readonly endpoint: Endpoint,
    answer: AtlasAnswer,
  ) {
    super(`Atlas answered ${answer.status}`);
    this.status = answer.status;
    this.body = parseErrorBody(answer.body);
    this.retryAfterMs = answer.retryAfterMs;
  }
}

/** Thrown when no whole answer came. */
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
    super(`no whole answer from Atlas (${code})`);
  }
}
