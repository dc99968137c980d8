import type { HttpResponse } from '../../http/send';
import { SinkRejectedError, SinkUnavailableError } from '../sink';

/** What to do about a status, for the message. A sink adds and overrides entries. */
export type Advice = Readonly<Partial<Record<number, string>>>;

const ADVICE: Advice = {
  401: 'check its credentials',
  403: 'check what its credentials permit',
  404: 'check its address',
  410: 'it accepts no more tokens; configure another sink',
  413: 'the request body is too large for it; raise its limit',
};

/** 4xx that a later attempt can turn into a success: Request Timeout, Too Early, Too Many Requests. */
const RETRYABLE_4XX: readonly number[] = [408, 425, 429];

export function isSuccess({ status }: Pick<HttpResponse, 'status'>): boolean {
  return status >= 200 && status <= 299;
}

/**
 * The error for a response that is no success, classified by its status alone. The body is not quoted, since a server
 * may echo what it was sent.
 *
 * @param what the server and the request, such as `Vault at https://…, secret/data/…`.
 */
export function responseError(
  what: string,
  { status, retryAfterMs }: HttpResponse,
  advice: Advice = {},
): SinkRejectedError | SinkUnavailableError {
  const hint = advice[status] ?? ADVICE[status];
  const responded = `${what} responded with ${status}`;
  if (status >= 500 || RETRYABLE_4XX.includes(status)) {
    const message = hint ? `${responded}: ${hint}` : responded;
    return new SinkUnavailableError(message, retryAfterMs);
  }
  if (status >= 300 && status <= 399) {
    const message = `${responded}: the sink follows no redirect; configure the address that it redirects to`;
    return new SinkRejectedError(message);
  }
  const unknown =
    status < 300
      ? 'this is not what was requested; check its address'
      : 'it rejected the request; see its log';
  return new SinkRejectedError(`${responded}: ${hint ?? unknown}`);
}
