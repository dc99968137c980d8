import { fetch } from 'undici';
import { codeOfFetchError, createDispatcher, parseRetryAfterMs, readTextCapped } from '../http';
import { SinkUnavailableError } from './sink';

const MAX_BODY_BYTES = 1024 * 1024;

export interface HttpRequest {
  method: 'GET' | 'POST' | 'PATCH';
  url: URL;
  headers: Record<string, string>;
  body?: string;
}

export interface HttpAnswer {
  status: number;
  /** Decoded text, cut off at 1 MiB. */
  body: string;
  /** The whole of `WWW-Authenticate`, where there is one. */
  challenge: string | null;
  retryAfterMs: number | undefined;
}

/**
 * Sends one request once and waits for the whole answer. No redirect is followed.
 *
 * @throws SinkUnavailableError when no whole answer came in time; the reason of `signal` when that ended it.
 */
export type HttpCall = (request: HttpRequest, signal: AbortSignal) => Promise<HttpAnswer>;

/**
 * HTTPS_PROXY and NO_PROXY are honoured.
 *
 * @param peer who is asked, for messages: it holds no secret.
 * @param timeoutMs for one request, its answer included.
 */
export function createHttpCall(peer: string, timeoutMs: number): HttpCall {
  const dispatcher = createDispatcher();
  return async ({ url, ...init }, signal) => {
    signal.throwIfAborted();
    try {
      const response = await fetch(url, {
        ...init,
        redirect: 'manual',
        signal: AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]),
        dispatcher,
      });
      return {
        status: response.status,
        body: await readTextCapped(response, MAX_BODY_BYTES),
        challenge: response.headers.get('www-authenticate'),
        retryAfterMs: parseRetryAfterMs(response.headers.get('retry-after'), new Date()),
      };
    } catch (error) {
      signal.throwIfAborted();
      // The error itself goes no further: fetch quotes malformed headers, and they hold credentials.
      throw new SinkUnavailableError(`${peer} ${silenceOf(error, timeoutMs)}`);
    }
  };
}

function silenceOf(error: unknown, timeoutMs: number): string {
  const code = codeOfFetchError(error);
  return code === 'TIMEOUT'
    ? `gave no answer within ${timeoutMs} ms`
    : `gave no answer (${code}): check that it runs and that the worker reaches it`;
}
