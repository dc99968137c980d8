import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import net, { type Socket } from 'node:net';
import path from 'node:path';
import { promisify } from 'node:util';
import { newFolder } from '../../support/clean-up';
import { certificateFor, serveConnectProxy, serveHttps, serveSocket } from '../../support/servers';

describe('what Node takes at its start only', () => {
  let folder: string;
  beforeAll(() => void (folder = newFolder()));

  /** Sends one request in a process of its own, which trusts the certificate. */
  async function sendOnce(trusted: string, env: Record<string, string>, ...args: string[]): Promise<unknown> {
    const authority = path.join(folder, 'authority.pem');
    writeFileSync(authority, trusted);
    const program = ['--import', 'tsx', path.join(__dirname, 'send-once.ts'), ...args];
    const { stdout } = await promisify(execFile)(process.execPath, program, {
      env: { PATH: process.env['PATH'], NODE_EXTRA_CA_CERTS: authority, ...env },
    });
    return JSON.parse(stdout);
  }

  async function secureServer() {
    const certificate = await certificateFor();
    const paths: string[] = [];
    const server = await serveHttps(certificate, ({ url = '' }, response) => {
      paths.push(url);
      response.end('secure');
    });
    return { ...server, cert: certificate.cert, paths };
  }

  it('HTTPS_PROXY carries the request through a tunnel, and NO_PROXY past it', async () => {
    const { url, port, cert } = await secureServer();
    const proxy = await serveConnectProxy();
    const response = { status: 200, text: 'secure' };
    expect(await sendOnce(cert, { HTTPS_PROXY: proxy.url }, url)).toEqual(response);
    expect(proxy.tunnels).toEqual([`127.0.0.1:${port}`]);
    expect(await sendOnce(cert, { HTTPS_PROXY: proxy.url, NO_PROXY: '127.0.0.1' }, url)).toEqual(response);
    expect(proxy.tunnels).toHaveLength(1);
  });

  it.each<[does: string, respond: (socket: Socket) => unknown, outcome: object]>([
    ['refuses', (socket) => socket.end('HTTP/1.1 407 No\r\nContent-Length: 0\r\n\r\n'), { written: false }],
    ['closes the connection', (socket) => socket.destroy(), { written: false, code: 'ECONNRESET' }],
  ])('a proxy that %s is asked once, and means that nothing was written', async (_does, respond, outcome) => {
    let asked = 0;
    const server = await serveSocket((socket, text) => {
      if (text === null) return;
      asked += 1;
      respond(socket);
    });
    const { url, cert, paths } = await secureServer();
    expect(await sendOnce(cert, { HTTPS_PROXY: server.url }, url)).toMatchObject(outcome);
    expect(asked).toBe(1);
    expect(paths).toEqual([]);
  });

  it('abortUntilWritten aborted while the connection is made stops the request before it is written', async () => {
    const { url, port, cert, paths } = await secureServer();
    const slow = await serveSocket((client, text) => {
      if (text !== null) return;
      client.pause();
      setTimeout(() => {
        const target = net.connect(port, '127.0.0.1');
        target.on('error', () => client.destroy());
        client.pipe(target).pipe(client);
      }, 600);
    });
    const through = url.replace(String(port), String(slow.port));
    expect(await sendOnce(cert, {}, through, '200')).toMatchObject({ message: 'stopped' });
    expect(await sendOnce(cert, {}, through)).toEqual({ status: 200, text: 'secure' });
    expect(paths).toHaveLength(1);
  });
});
