import { EnvHttpProxyAgent, Pool, type Dispatcher } from 'undici';

/** Longer than any response that we use. undici ends a request whose response is longer. */
export const MAX_BODY_BYTES = 1024 * 1024;

/** Connections, through the proxies that HTTPS_PROXY, HTTP_PROXY and NO_PROXY name: Node 20 alone ignores these. */
export function createDispatcher(): Dispatcher {
  return new EnvHttpProxyAgent({ clientFactory: createProxyClient, maxResponseSize: MAX_BODY_BYTES });
}

type Connect = (request: Dispatcher.ConnectOptions) => Promise<Dispatcher.ConnectData>;

/** Makes the client that asks a proxy for tunnels. */
function createProxyClient(origin: URL, options: object): Dispatcher {
  const pool = new Pool(origin, options);
  const connect: Connect = pool.connect.bind(pool);
  const connectOnce: Connect = (request) =>
    connect(request).catch((error: unknown) => {
      throw asConnectionError(error);
    });
  return Object.assign(pool, { connect: connectOnce });
}

/** After its own code, undici would ask again without a pause and without end, even for a request that was given up. */
function asConnectionError(error: unknown): Error {
  const { code } = error as NodeJS.ErrnoException;
  if (code !== 'UND_ERR_SOCKET') return error as Error;
  return Object.assign(new Error('the proxy closed the connection'), { code: 'ECONNRESET' });
}
