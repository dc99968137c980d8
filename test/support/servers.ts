import { once } from 'node:events';
import http from 'node:http';
import http2 from 'node:http2';
import https from 'node:https';
import net, { type AddressInfo, type Server, type Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import { generate } from 'selfsigned';
import { closeLater } from './clean-up';

export interface TestServer {
  /** The base URL, which ends without a slash. */
  url: string;
  /** Host and port. */
  address: string;
  port: number;
  close(): Promise<void>;
}

export interface Certificate {
  key: string;
  cert: string;
}

/** Serves until the last test of the file has ended, or until it is closed. */
export async function listen(server: Server, scheme: string): Promise<TestServer> {
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    socket.on('close', () => sockets.delete(socket));
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const { port } = server.address() as AddressInfo;
  const address = `127.0.0.1:${port}`;
  return closeLater({
    url: `${scheme}://${address}`,
    address,
    port,
    close: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      }),
  });
}

export type HttpHandler = (
  request: http.IncomingMessage & { text: string },
  response: http.ServerResponse,
) => void;

/** The handler is called once the whole request is there. */
function whole(handler: HttpHandler): http.RequestListener {
  return (request, response) => {
    const respond = (body: string) => handler(Object.assign(request, { text: body }), response);
    // A client that breaks off gets no response, nor does one whose request makes the handler
    // throw.
    text(request)
      .then(respond)
      .catch(() => request.destroy());
  };
}

export function serveHttp(handler: HttpHandler): Promise<TestServer> {
  return listen(http.createServer(whole(handler)), 'http');
}

export function serveHttps(certificate: Certificate, handler: HttpHandler): Promise<TestServer> {
  return listen(https.createServer(certificate, whole(handler)), 'https');
}

/** Calls the handler with each chunk that a client writes, and with null when it connects. */
export function serveSocket(
  handler: (socket: Socket, text: string | null) => void,
): Promise<TestServer> {
  const server = net.createServer((socket) => {
    handler(socket, null);
    socket.on('data', (chunk) => handler(socket, chunk.toString('latin1')));
  });
  return listen(server, 'http');
}

/** Adds the host and port of each tunnel to `tunnels`. */
export async function serveConnectProxy() {
  const tunnels: string[] = [];
  const server = http.createServer((_request, response) => response.writeHead(400).end());
  server.on('connect', ({ url = '' }, client: Socket) => {
    tunnels.push(url);
    const { hostname, port } = new URL(`http://${url}`);
    const target = net.connect(Number(port), hostname, () => {
      client.write('HTTP/1.1 200 Connection Established\r\n\r\n');
      target.pipe(client).pipe(target);
    });
    target.on('error', () => client.destroy());
    client.on('close', () => target.destroy());
  });
  return { tunnels, ...(await listen(server, 'http')) };
}

/**
 * Passes gRPC calls on, but those whose path matches: it rejects them with a status, NOT_FOUND by
 * default.
 */
export function serveRejectingGrpcProxy(
  targetAddress: string,
  rejected: Pick<RegExp, 'test'>,
  status = 5,
): Promise<TestServer> {
  const target = http2.connect(`http://${targetAddress}`);
  const server = http2.createServer();
  server.on('stream', (stream, headers) => {
    stream.on('error', () => undefined);
    if (rejected.test(String(headers[':path']))) {
      const response = {
        ':status': 200,
        'content-type': 'application/grpc',
        'grpc-status': String(status),
      };
      stream.respond(response, { endStream: true });
      return;
    }
    const call = target.request(headers);
    call.on('error', () => stream.destroy());
    call.on('response', (response, flags) => {
      // The caller may have given up.
      if (stream.destroyed) return;
      const endStream = (flags & http2.constants.NGHTTP2_FLAG_END_STREAM) !== 0;
      stream.respond(response, { endStream, waitForTrailers: !endStream });
      call.pipe(stream);
    });
    call.on('trailers', (trailers: http2.IncomingHttpHeaders) =>
      stream.on('wantTrailers', () => {
        if (!stream.destroyed) stream.sendTrailers(trailers);
      }),
    );
    stream.pipe(call);
  });
  server.on('close', () => target.destroy());
  return listen(server, 'http');
}

/** A certificate signed by itself, for 127.0.0.1. */
export async function certificateFor(): Promise<Certificate> {
  const { private: key, cert } = await generate([{ name: 'commonName', value: 'test' }], {
    keyType: 'ec',
    extensions: [
      { name: 'basicConstraints', cA: true },
      { name: 'subjectAltName', altNames: [{ type: 7, ip: '127.0.0.1' }] },
    ],
  });
  return { key, cert };
}
