import { EnvHttpProxyAgent, Pool, request, type Dispatcher } from 'undici';
import { raceSignal, withTimeout } from '../abort';
import { VERSION } from '../version';
import { MAX_BODY_BYTES, readResponse, type HttpResponse } from './response';

export interface HttpRequest {
  method: 'GET' | 'POST' | 'PATCH' | 'DELETE' | 'OPTIONS';
  url: string | URL;
  headers: Readonly<Record<string, string>>;
  body?: string;
}

export interface SendOptions {
  /** Ends the request at any time. */
  abort?: AbortSignal | undefined;
  /** True if the status alone decides, so that the body of a success may be incomplete. */
  bodyOptional?: boolean;
}

/**
 * Thrown when no complete response arrives. It holds nothing of the request, which has credentials.
 */
export class HttpError extends Error {
  override readonly name = 'HttpError';

  /**
   * @param code error code of Node, OpenSSL or undici, such as ECONNREFUSED; `TIMEOUT` for our own
   *   request timeout.
   * @param isWritten whether the request was written, so that the server may have acted on it.
   */
  constructor(
    readonly code: string,
    readonly isWritten: boolean,
  ) {
    super(`no complete response (${code})`);
  }
}

const OWN_HEADERS = { 'accept-encoding': 'gzip', 'user-agent': `live-migration-prep/${VERSION}` };

/**
 * Creates a client that sends each request once. It does not use `fetch`, which sends a request a
 * second time after 421, hides 407 of a server behind an error and refuses some ports.
 *
 * @param timeoutMs limit for one request, its response included.
 */
export function createSender(timeoutMs: number) {
  // Node 20 itself ignores the variables of proxies.
  const dispatcher = new EnvHttpProxyAgent({
    ...readProxies(process.env),
    clientFactory: createProxyClient,
    maxResponseSize: MAX_BODY_BYTES,
  });
  return {
    /**
     * Sends one request once and waits for its whole response. It follows no redirect. The body of
     * a response with a status from 300 may be incomplete: the status decides.
     *
     * @throws HttpError, or the reason of the signal that ended the request.
     */
    async send(
      { url, headers, ...init }: HttpRequest,
      { abort, bodyOptional = false }: SendOptions = {},
    ): Promise<HttpResponse> {
      const progress = { isWritten: false };
      try {
        return await withTimeout(timeoutMs, abort, async (signal) => {
          const send = async () =>
            request(url, {
              ...init,
              headers: { ...OWN_HEADERS, ...headers },
              signal,
              dispatcher: dispatcher.compose(noteWhenWritten(progress)),
            });
          // undici observes the signal only once a connection is made.
          return readResponse(await raceSignal(send, signal), bodyOptional);
        });
      } catch (error) {
        abort?.throwIfAborted();
        // The error itself is dropped: it may quote malformed headers, which hold credentials.
        throw new HttpError(findErrorCode(error), progress.isWritten);
      }
    },

    /** Closes the connections; requests under way fail. */
    close: () => dispatcher.destroy(),
  };
}

/** An empty variable counts as unset; undici would let it hide the one in the other case. */
function readProxies(env: NodeJS.ProcessEnv) {
  const proxies: { httpProxy?: string; httpsProxy?: string; noProxy?: string } = {};
  const httpProxy = env['http_proxy'] || env['HTTP_PROXY'];
  const httpsProxy = env['https_proxy'] || env['HTTPS_PROXY'];
  const noProxy = env['no_proxy'] || env['NO_PROXY'];
  if (httpProxy) proxies.httpProxy = httpProxy;
  if (httpsProxy) proxies.httpsProxy = httpsProxy;
  if (noProxy) proxies.noProxy = noProxy;
  return proxies;
}

function findErrorCode(error: unknown): string {
  // `instanceof` fails here: in tests, a DOMException is an Error of another realm.
  const { name, code, cause } = (error ?? {}) as {
    name?: unknown;
    code?: unknown;
    cause?: unknown;
  };
  if (name === 'TimeoutError') return 'TIMEOUT';
  if (typeof code === 'string') return code;
  if (cause) return findErrorCode(cause);
  return typeof name === 'string' ? name : 'UNKNOWN';
}

/** Notes when undici is about to write the request to a connected socket. */
function noteWhenWritten(progress: {
  isWritten: boolean;
}): Dispatcher.DispatcherComposeInterceptor {
  return (dispatch) => (options, handler) =>
    dispatch(options, {
      onRequestStart(controller, ...args) {
        progress.isWritten = true;
        handler.onRequestStart?.(controller, ...args);
      },
      onRequestUpgrade: (...args) => handler.onRequestUpgrade?.(...args),
      onResponseStart: (...args) => handler.onResponseStart?.(...args),
      onResponseData: (...args) => handler.onResponseData?.(...args),
      onResponseEnd: (...args) => handler.onResponseEnd?.(...args),
      onResponseError: (...args) => handler.onResponseError?.(...args),
    });
}

type Connect = (target: Dispatcher.ConnectOptions) => Promise<Dispatcher.ConnectData>;

/**
 * Creates the client that requests tunnels from a proxy. It replaces the error code UND_ERR_SOCKET,
 * on which undici would request a tunnel again and again, even for a request that ended. A refusal,
 * such as 407, would be UND_ERR_ABORTED, which does not name the status.
 */
function createProxyClient(origin: URL, options: object): Dispatcher {
  const pool = new Pool(origin, options);
  const connect: Connect = pool.connect.bind(pool);
  const connectOnce: Connect = async (target) => {
    const tunnel = await connect(target).catch((error: unknown) => {
      if ((error as NodeJS.ErrnoException).code !== 'UND_ERR_SOCKET') throw error;
      throw Object.assign(new Error('the proxy closed the connection'), { code: 'ECONNRESET' });
    });
    if (tunnel.statusCode === 200) return tunnel;
    tunnel.socket.destroy();
    const code = `PROXY_STATUS_${tunnel.statusCode}`;
    throw Object.assign(new Error('the proxy refused a tunnel'), { code });
  };
  return Object.assign(pool, { connect: connectOnce });
}
