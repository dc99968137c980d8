import { isCertificateError } from '../../http/certificate';
import { isTemporary, type HttpResponse } from '../../http/response';
import { HttpError, createSender, type HttpRequest } from '../../http/send';
import { SinkRejectedError, SinkUnavailableError } from '../sink';

/**
 * Creates a function that sends a request to the server of a sink.
 *
 * @param server name for messages, such as `Vault at https://…`; it holds no secret.
 * @param timeoutMs limit for one request, its response included.
 */
export function createSinkSend(server: string, timeoutMs: number) {
  const sender = createSender(timeoutMs);
  /** @throws SinkUnavailableError when no complete response arrives, or the reason of `signal`. */
  return async (request: HttpRequest, signal: AbortSignal, options?: { bodyOptional: boolean }) => {
    try {
      return await sender.send(request, { ...options, abort: signal });
    } catch (error) {
      if (!(error instanceof HttpError)) throw error;
      throw new SinkUnavailableError(describeLackOfResponse(server, timeoutMs, error.code));
    }
  };
}

/** @param code code of an HttpError. */
function describeLackOfResponse(server: string, timeoutMs: number, code: string): string {
  if (isCertificateError(code)) {
    const remedy =
      code === 'CERT_HAS_EXPIRED'
        ? "renew it, or check the clock of the worker's host"
        : 'check its address, or add its CA with NODE_EXTRA_CA_CERTS and restart the workers';
    return `the TLS certificate of ${server} is not trusted (${code}): ${remedy}`;
  }
  const reason =
    code === 'TIMEOUT'
      ? `within ${timeoutMs} ms: check that it runs, or raise timeoutMs`
      : `(${code}): check that it runs and that the worker can reach it`;
  return `no complete response from ${server} ${reason}`;
}

/** Joins a path to a base URL, whose own path stays in front. */
export function joinUrl(base: URL, path: string): URL {
  return new URL(base.href.replace(/[?#].*$/, '').replace(/\/+$/, '') + path);
}

/** Remedies by status, for messages. A sink adds and overrides entries. */
export type Advice = Readonly<Partial<Record<number, string>>>;

const ADVICE: Advice = {
  401: 'check its credentials',
  403: 'check what its credentials permit',
  404: 'check its address',
  410: 'it accepts no more tokens; configure another sink',
  413: 'the request body is too large for it; raise its limit',
};

/**
 * Builds the error for a response. It does not quote the body, in which a server may echo the
 * request.
 *
 * @param what server and request, such as `Vault at https://…, secret/data/…`.
 */
export function statusError(
  what: string,
  { status, retryAfterMs }: HttpResponse,
  advice: Advice = {},
): Error {
  const message =
    `${what} responded with ${status}:` +
    ` ${advice[status] ?? ADVICE[status] ?? chooseRemedy(status)}`;
  return isTemporary(status)
    ? new SinkUnavailableError(message, retryAfterMs)
    : new SinkRejectedError(message);
}

function chooseRemedy(status: number): string {
  if (isTemporary(status)) return 'see its log if that lasts';
  if (status < 300) return 'this is not the expected response; check its address';
  if (status < 400) {
    return 'the sink follows no redirect; configure the address that it redirects to';
  }
  return 'it rejected the request; see its log';
}
