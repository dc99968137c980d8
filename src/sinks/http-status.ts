import type { HttpAnswer } from './http-call';
import { SinkRejectedError, SinkUnavailableError } from './sink';

/** What to do about a status, for the message. A sink adds and overrides entries. */
export type Advice = Readonly<Partial<Record<number, string>>>;

const ADVICE: Advice = {
  401: 'check its credentials',
  403: 'check what its credentials may do',
  404: 'check its address',
  410: 'it takes no more tokens: configure another sink',
  413: 'it refuses the size of the body',
};

/** 4xx that a later attempt can turn into a success: Request Timeout, Too Early, Too Many Requests. */
const RETRIED_4XX: readonly number[] = [408, 425, 429];

export function isSuccess({ status }: HttpAnswer): boolean {
  return status >= 200 && status <= 299;
}

/**
 * The error for an answer that is no success, decided by its status alone. The body is not quoted, since a peer may
 * echo what it was sent.
 *
 * @param what the peer and what was asked of it, such as `Vault at https://… asked to write secret/data/…`.
 */
export function errorOfAnswer(
  what: string,
  { status, retryAfterMs }: HttpAnswer,
  advice: Advice = {},
): SinkRejectedError | SinkUnavailableError {
  const hint = advice[status] ?? ADVICE[status];
  const answered = `${what} answered ${status}`;
  if (status >= 500 || RETRIED_4XX.includes(status)) {
    return new SinkUnavailableError(hint ? `${answered}: ${hint}` : answered, retryAfterMs);
  }
  if (status >= 300 && status <= 399) {
    return new SinkRejectedError(
      `${answered}: a token follows no redirect; configure the address it redirects to`,
    );
  }
  return new SinkRejectedError(`${answered}: ${hint ?? 'it refuses the request; see its own log'}`);
}
