import { EnvHttpProxyAgent, Pool, type Dispatcher } from 'undici';

/** A bound above every response that we use. undici ends a request whose response is longer. */
export const MAX_BODY_BYTES = 1024 * 1024;

/** Makes connections that use HTTPS_PROXY, HTTP_PROXY and NO_PROXY: Node 20 itself ignores them. */
export function createDispatcher(): Dispatcher {
  return new EnvHttpProxyAgent({ clientFactory: createProxyClient, maxResponseSize: MAX_BODY_BYTES });
}

type Connect = (request: Dispatcher.ConnectOptions) => Promise<Dispatcher.ConnectData>;

/** Makes the client that requests tunnels from a proxy. */
function createProxyClient(origin: URL, options: object): Dispatcher {
  const pool = new Pool(origin, options);
  const connect: Connect = pool.connect.bind(pool);
  const connectOnce: Connect = (request) =>
    connect(request).catch((error: unknown) => {
      throw toConnectionError(error);
    });
  return Object.assign(pool, { connect: connectOnce });
}

/** Replaces undici's own code, after which it would request a tunnel again and again, even for a request that ended. */
function toConnectionError(error: unknown): Error {
  const { code } = error as NodeJS.ErrnoException;
  if (code !== 'UND_ERR_SOCKET') return error as Error;
  return Object.assign(new Error('the proxy closed the connection'), { code: 'ECONNRESET' });
}
