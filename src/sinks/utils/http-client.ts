import { HttpError, createSender, type HttpRequest, type HttpResponse } from '../../http/send';
import { SinkUnavailableError } from '../sink';

/**
 * Sends one request as {@link createSender} does; `signal` ends it at any time.
 *
 * @throws SinkUnavailableError when no complete response arrived, or the reason of `signal` when that ended the request.
 */
type SinkSend = (
  request: HttpRequest,
  signal: AbortSignal,
  options?: { bodyOptional?: boolean },
) => Promise<HttpResponse>;

/**
 * @param server name for messages, such as `Vault at https://…`; it holds no secret.
 * @param timeoutMs for one request, its response included.
 */
export function createSinkSend(server: string, timeoutMs: number): SinkSend {
  const sender = createSender(timeoutMs);
  return async (request, signal, options) => {
    try {
      return await sender.send(request, { ...options, abort: signal });
    } catch (error) {
      if (!(error instanceof HttpError)) throw error;
      const reason =
        error.code === 'TIMEOUT'
          ? `within ${timeoutMs} ms`
          : `(${error.code}): check that it runs and that the worker can reach it`;
      throw new SinkUnavailableError(`no complete response from ${server} ${reason}`);
    }
  };
}

/** `path` below `base`, whose own path stays in front. */
export function joinUrl(base: URL, path: string): URL {
  return new URL(base.href.replace(/[?#].*$/, '').replace(/\/+$/, '') + path);
}
