import { createServer, connect, type Socket } from 'node:net';
import { listen } from './servers';

export type TcpProxy = Awaited<ReturnType<typeof startTcpProxy>>;

/**
 * Passes connections on until `cut` or `silence` is called.
 *
 * @param target host and port.
 */
export async function startTcpProxy(target: string) {
  const { hostname, port } = new URL(`tcp://${target}`);
  const upstreams = new Set<Socket>();
  const requests: string[] = [];
  let state: 'open' | 'silent' | 'cut' = 'open';
  let losing: RegExp | null = null;

  const server = createServer((client) => {
    if (state === 'cut') {
      client.destroy();
      return;
    }
    let isLost = false;
    const upstream = connect(Number(port), hostname);
    upstreams.add(upstream);
    upstream.on('error', () => undefined);
    upstream.on('close', () => {
      upstreams.delete(upstream);
      client.destroy();
    });
    client.on('close', () => upstream.destroy());
    client.on('data', (chunk) => {
      const request = chunk.toString('latin1');
      requests.push(request);
      if (losing?.test(request)) {
        losing = null;
        isLost = true;
      }
      upstream.write(chunk);
    });
    upstream.on('data', (chunk) => {
      if (isLost) client.destroy();
      else client.write(chunk);
    });
    if (state === 'silent') upstream.pause();
  });

  return {
    ...(await listen(server, 'tcp')),
    /** Holds what clients wrote, chunk by chunk. */
    requests: requests as readonly string[],
    /** Counts the open connections to the target. */
    open: () => upstreams.size,
    /** Ends every connection, new ones too. */
    cut() {
      state = 'cut';
      for (const upstream of upstreams) upstream.destroy();
    },
    /** Withholds all responses and ends no connection. */
    silence() {
      state = 'silent';
      for (const upstream of upstreams) upstream.pause();
    },
    /** Ends the connection of the next request that matches once its response arrives. */
    loseResponseTo: (request: RegExp) => void (losing = request),
    restore() {
      state = 'open';
      for (const upstream of upstreams) upstream.resume();
    },
  };
}
