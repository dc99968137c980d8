import type { HttpResponse } from '../../http/send';
import { SinkRejectedError, SinkUnavailableError } from '../sink';

/** What to do about a status, for the message. A sink adds and overrides entries. */
type Advice = Readonly<Partial<Record<number, string>>>;

const ADVICE: Advice = {
  401: 'check its credentials',
  403: 'check what its credentials permit',
  404: 'check its address',
  410: 'it accepts no more tokens; configure another sink',
  413: 'the request body is too large for it; raise its limit',
};

/** 4xx that a later attempt can turn into a success: Request Timeout, Too Early, Too Many Requests. */
const RETRYABLE_4XX: readonly number[] = [408, 425, 429];

/** 4xx that do not rule out that the server acted on the request. */
const UNCERTAIN_4XX: readonly number[] = [408, 425];

export function isSuccess({ status }: Pick<HttpResponse, 'status'>): boolean {
  return status >= 200 && status <= 299;
}

/** Whether a server that responded with this status may have acted on the request: only a 4xx rules it out. */
export function mayHaveActed(status: number): boolean {
  return status < 400 || status > 499 || UNCERTAIN_4XX.includes(status);
}

/**
 * The error for a response that is no success, classified by its status alone. The body is not quoted, since a server
 * may echo what it was sent. `tokenMayBeThere` assumes that the request carried the token: wrap one that did not in
 * `withTokenMayBeThere`.
 *
 * @param what the server and the request, such as `Vault at https://…, secret/data/…`.
 */
export function responseError(
  what: string,
  { status, retryAfterMs }: HttpResponse,
  advice: Advice = {},
): SinkRejectedError | SinkUnavailableError {
  const tokenMayBeThere = mayHaveActed(status);
  const hint = advice[status] ?? ADVICE[status];
  const responded = `${what} responded with ${status}`;
  if (status >= 500 || RETRYABLE_4XX.includes(status)) {
    const message = hint ? `${responded}: ${hint}` : responded;
    return new SinkUnavailableError(message, { tokenMayBeThere, retryAfterMs });
  }
  if (status >= 300 && status <= 399) {
    const message = `${responded}: the sink follows no redirect; configure the address that it redirects to`;
    return new SinkRejectedError(message, { tokenMayBeThere });
  }
  const unknown =
    status < 300
      ? 'this is not what was requested; check its address'
      : 'it rejected the request; see its log';
  const message = `${responded}: ${hint ?? unknown}`;
  return new SinkRejectedError(message, { tokenMayBeThere });
}
