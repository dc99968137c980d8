import { request, type Dispatcher } from 'undici';
import { createDispatcher } from './dispatcher';
import { headerOf, readBody } from './read-response';
import { parseRetryAfterMs } from './retry-after';
import { unlessAborted } from './unless-aborted';
import { VERSION } from './version';
import { withTimeout } from './with-timeout';

export interface HttpRequest {
  method: 'GET' | 'POST' | 'PATCH' | 'DELETE' | 'OPTIONS';
  url: string | URL;
  headers: Readonly<Record<string, string>>;
  body?: string;
}

export interface SendOptions {
  /** Ends the request at any time. */
  abort?: AbortSignal | undefined;
  /** Ends the request unless it is already written: its response may hold what cannot be requested again. */
  abortUntilWritten?: AbortSignal | undefined;
  /** Whether the status of a success alone decides, so that its body may be lost as that of a refusal may. */
  bodyOptional?: boolean;
}

export interface HttpResponse {
  status: number;
  /** What the text holds; null where it is not JSON. */
  json: unknown;
  /** The body as UTF-8; empty where it did not arrive whole or is longer than 1 MiB. */
  text: string;
  /** The whole of `WWW-Authenticate`, where there is one. */
  challenge: string | null;
  /** What `Retry-After` says, from now on. */
  retryAfterMs: number | undefined;
}

/** Thrown when no complete response arrived. It holds nothing of the request, whose headers hold credentials. */
export class HttpError extends Error {
  override readonly name = 'HttpError';

  /**
   * @param code of Node, OpenSSL or undici, such as ECONNREFUSED; `TIMEOUT` for our own request timeout.
   * @param written whether the request was written, so that the server may have acted on it.
   */
  constructor(
    readonly code: string,
    readonly written: boolean,
  ) {
    super(`no complete response (${code})`);
  }
}

export interface Sender {
  /**
   * Sends one request once and waits for its whole response. No redirect is followed. The body of a refusal (300 and
   * above) may break off: its status decides.
   *
   * @throws HttpError, or the reason of the signal that ended the request.
   */
  send: (request: HttpRequest, options?: SendOptions) => Promise<HttpResponse>;
  /** Closes the connections; requests under way fail. */
  close: () => Promise<void>;
}

/**
 * One HTTP client with its connections. Not `fetch`, which sends a request a second time after 421, hides 407 behind an
 * error and refuses some ports.
 *
 * @param timeoutMs for one request, its response included.
 */
export function createSender(timeoutMs: number): Sender {
  const dispatcher = createDispatcher();
  return {
    async send({ url, headers, ...init }, { abort, abortUntilWritten, bodyOptional = false } = {}) {
      abortUntilWritten?.throwIfAborted();
      const progress = { written: false };
      try {
        return await withTimeout(timeoutMs, abort, async (signal) => {
          const send = async () =>
            request(url, {
              ...init,
              headers: {
                'accept-encoding': 'gzip',
                'user-agent': `live-migration-prep/${VERSION}`,
                ...headers,
              },
              signal,
              dispatcher: dispatcher.compose(noteWhenWritten(progress, abortUntilWritten)),
            });
          // undici heeds the signal only once a connection is made.
          const response = await unlessAborted(send, signal);
          const text = await readBody(response, bodyOptional);
          return {
            status: response.statusCode,
            json: parseJson(text),
            text,
            challenge: headerOf(response, 'www-authenticate'),
            retryAfterMs: parseRetryAfterMs(headerOf(response, 'retry-after'), new Date()),
          };
        });
      } catch (error) {
        abort?.throwIfAborted();
        if (!progress.written) abortUntilWritten?.throwIfAborted();
        // The error itself goes no further: it may quote malformed headers, and they hold credentials.
        throw new HttpError(codeOf(error), progress.written);
      }
    },
    close: () => dispatcher.destroy(),
  };
}

/** The text is not quoted in an error: it may hold a secret. */
function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

function codeOf(error: unknown): string {
  // Not by `instanceof`: a DOMException is no Error of the realm that tests run in.
  const { name, code, cause } = (error ?? {}) as { name?: unknown; code?: unknown; cause?: unknown };
  if (name === 'TimeoutError') return 'TIMEOUT';
  if (typeof code === 'string') return code;
  if (cause) return codeOf(cause);
  return typeof name === 'string' ? name : 'UNKNOWN';
}

/** undici calls `onRequestStart` when a connected socket is about to carry the request: the last moment to stop it. */
function noteWhenWritten(
  progress: { written: boolean },
  abortUntilWritten: AbortSignal | undefined,
): Dispatcher.DispatcherComposeInterceptor {
  return (dispatch) => (options, handler) =>
    dispatch(options, {
      onRequestStart(controller, ...args) {
        if (abortUntilWritten?.aborted) {
          controller.abort(new Error('stopped before it was written'));
          return;
        }
        progress.written = true;
        handler.onRequestStart?.(controller, ...args);
      },
      onRequestUpgrade: (...args) => handler.onRequestUpgrade?.(...args),
      onResponseStart: (...args) => handler.onResponseStart?.(...args),
      onResponseData: (...args) => handler.onResponseData?.(...args),
      onResponseEnd: (...args) => handler.onResponseEnd?.(...args),
      onResponseError: (...args) => handler.onResponseError?.(...args),
    });
}
