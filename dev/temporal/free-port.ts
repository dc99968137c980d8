import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

/**
 * A port of 127.0.0.1 that a server can listen on.
 *
 * Linux might soon give the same port to somebody else. A connection that is closed from the
 * server's side keeps it from doing so for a minute, while a server that asks for this port gets
 * it.
 */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const accepted = once(server, 'connection') as Promise<[Socket]>;
  const client = connect(port, '127.0.0.1').resume();
  const [socket] = await accepted;
  socket.end();
  await once(client, 'close');
  server.close();
  return port;
}
