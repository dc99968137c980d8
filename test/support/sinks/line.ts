import { once } from 'node:events';
import { createServer, connect, type AddressInfo, type Socket } from 'node:net';
import { cleanUpLater } from '../clean-up';

/** Makes a TCP connection to a server that can be cut, silenced, and made to lose one response. */
export async function startLine(targetPort: number) {
  const sockets = new Set<Socket>();
  let silent = false;
  let losing: RegExp | null = null;

  const server = createServer((client) => {
    const target = connect(targetPort, '127.0.0.1');
    let doomed = false;
    for (const socket of [client, target]) {
      sockets.add(socket);
      socket.on('error', () => undefined);
      socket.on('close', () => {
        sockets.delete(socket);
        client.destroy();
        target.destroy();
      });
    }
    client.on('data', (chunk) => {
      if (silent) {
        server.emit('swallowed');
        return;
      }
      if (losing?.test(chunk.toString('latin1'))) {
        losing = null;
        doomed = true;
      }
      target.write(chunk);
    });
    target.on('data', (chunk) => {
      if (doomed) client.destroy();
      else client.write(chunk);
    });
  });

  const listen = async (port: number) => {
    server.listen(port, '127.0.0.1');
    await once(server, 'listening');
  };
  const cut = async () => {
    if (!server.listening) return;
    const closed = once(server, 'close');
    server.close();
    sockets.forEach((socket) => socket.destroy());
    await closed;
  };

  await listen(0);
  cleanUpLater(cut);
  const { port } = server.address() as AddressInfo;
  return {
    port,
    /** Closes every connection and refuses new ones. */
    cut,
    /** Accepts connections and data, and forwards nothing. Resolves once there is data. */
    silence() {
      silent = true;
      return once(server, 'swallowed');
    },
    /** Forwards the next request that matches, and closes its connection when the response arrives. */
    loseResponseTo: (request: RegExp) => void (losing = request),
    async restore() {
      silent = false;
      losing = null;
      if (!server.listening) await listen(port);
    },
  };
}
