import { fetch, type Dispatcher, type Response } from 'undici';
import { codeOfFetchError, createDispatcher, parseRetryAfterMs, readTextCapped } from '../http';
import { AtlasConnectionError } from './errors';
import type { Send } from './messages';

const MAX_BODY_BYTES = 1024 * 1024;

export interface Transport {
  send: Send;
  close(): Promise<void>;
}

/** HTTPS_PROXY and NO_PROXY are honoured. */
export function createTransport(baseUrl: string, requestTimeoutMs: number): Transport {
  const dispatcher = createDispatcher();
  return {
    async send({ endpoint, path, startSignal, ...init }) {
      startSignal?.throwIfAborted();
      const progress = { written: false };
      try {
        const response = await fetch(baseUrl + path, {
          ...init,
          redirect: 'manual',
          signal: AbortSignal.timeout(requestTimeoutMs),
          dispatcher: dispatcher.compose(noteWhenWritten(progress, startSignal)),
        });
        return {
          status: response.status,
          body: await readBody(response),
          challenge: response.headers.get('www-authenticate'),
          retryAfterMs: parseRetryAfterMs(response.headers.get('retry-after'), new Date()),
        };
      } catch (error) {
        if (!progress.written) startSignal?.throwIfAborted();
        // The error itself goes no further: fetch quotes malformed headers, and they hold credentials.
        throw new AtlasConnectionError(endpoint, progress.written, codeOfFetchError(error));
      }
    },
    close: () => dispatcher.destroy(),
  };
}

/** A refusal is decided by its status, so a broken body loses words and no more; a success needs it whole. */
async function readBody(response: Response): Promise<string> {
  try {
    return await readTextCapped(response, MAX_BODY_BYTES);
  } catch (error) {
    if (response.status >= 300) return '';
    throw error;
  }
}

/** undici calls `onRequestStart` when a connected socket is about to carry the request: the last moment to stop it. */
function noteWhenWritten(
  progress: { written: boolean },
  startSignal: AbortSignal | undefined,
): Dispatcher.DispatcherComposeInterceptor {
  return (dispatch) => (options, handler) =>
    dispatch(options, {
      onRequestStart(controller, ...args) {
        if (startSignal?.aborted) {
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
