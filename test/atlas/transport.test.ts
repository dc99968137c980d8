import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { inspect, promisify } from 'node:util';
import { gzipSync } from 'node:zlib';
import { AtlasConnectionError } from '../../src/atlas/errors';
import type { AtlasRequest } from '../../src/atlas/messages';
import { createTransport, type Transport } from '../../src/atlas/transport';
import { closingAfterEach } from './closing';
import {
  certificateFor,
  serveConnectProxy,
  serveHttp,
  serveHttps,
  serveSocket,
  type TestServer,
} from './servers';

const closing = closingAfterEach();

const REQUEST: AtlasRequest = {
  endpoint: 'linkTokens',
  method: 'POST',
  path: '/api?pretty=true',
  headers: { Authorization: 'Bearer CANARY-bearer', Accept: 'a/b', 'Content-Type': 'c/d' },
  body: '{"a":"ü"}',
};

function transportTo(server: { url: string }, timeoutMs = 2000): Transport {
  return closing(createTransport(server.url, timeoutMs));
}

async function failureOf(work: Promise<unknown>): Promise<AtlasConnectionError> {
  const error = await work.then(
    () => new Error('it did not fail'),
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(AtlasConnectionError);
  expect(inspect(error, { showHidden: true, depth: 10 })).not.toContain('CANARY');
  return error as AtlasConnectionError;
}

const tokenAnswer = (body: string) =>
  `HTTP/1.1 201 Created\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`;

describe('a request', () => {
  it('arrives with its method, path, headers and body, and brings the answer', async () => {
    const server = closing(
      await serveHttp(({ method, url, headers, text }, response) => {
        const { accept, authorization, 'content-type': type, 'content-length': length } = headers;
        response.writeHead(429, { 'WWW-Authenticate': 'Digest realm="r", nonce="n"', 'Retry-After': '7' });
        response.end(JSON.stringify([method, url, accept, authorization, type, length, text]));
      }),
    );
    const { body, ...answer } = await transportTo(server).send(REQUEST);
    expect(answer).toEqual({ status: 429, challenge: 'Digest realm="r", nonce="n"', retryAfterMs: 7000 });
    expect(JSON.parse(body)).toEqual([
      'POST',
      '/api?pretty=true',
      'a/b',
      'Bearer CANARY-bearer',
      'c/d',
      '10',
      '{"a":"ü"}',
    ]);
  });

  it.each([301, 302, 303, 307, 308])(
    'follows no redirect %i, which would carry the credential on',
    async (status) => {
      const seen: string[] = [];
      const elsewhere = closing(
        await serveHttp(({ url = '' }, response) => {
          seen.push(url);
          response.end();
        }),
      );
      const server = closing(
        await serveHttp((_request, response) =>
          response.writeHead(status, { Location: elsewhere.url }).end('moved'),
        ),
      );
      const answer = await transportTo(server).send(REQUEST);
      expect([answer.status, answer.body, seen]).toEqual([status, 'moved', []]);
    },
  );

  it('reads gzip', async () => {
    const server = closing(
      await serveHttp((_request, response) => {
        response.writeHead(201, { 'Content-Encoding': 'gzip' }).end(gzipSync('{"linkToken":"x"}'));
      }),
    );
    expect(await transportTo(server).send(REQUEST)).toMatchObject({ status: 201, body: '{"linkToken":"x"}' });
  });

  it.each([
    ['a body of 3 MiB', (body: Buffer) => [{}, body] as const],
    [
      '3 MiB in a few bytes of gzip',
      (body: Buffer) => [{ 'Content-Encoding': 'gzip' }, gzipSync(body)] as const,
    ],
  ])('cuts off %s at 1 MiB', async (_what, answerWith) => {
    const [headers, body] = answerWith(Buffer.alloc(3 * 1024 * 1024, 'x'));
    const server = closing(
      await serveHttp((_request, response) => response.writeHead(200, headers).end(body)),
    );
    const answer = await transportTo(server).send(REQUEST);
    expect(answer.body).toBe('x'.repeat(1024 * 1024));
  });

  it('does not wait for the end of a body without end', async () => {
    const server = closing(
      await serveHttp((_request, response) => {
        const more = () => {
          while (!response.destroyed && response.write(Buffer.alloc(65_536, 'x')));
        };
        response.on('drain', more);
        more();
      }),
    );
    const answer = await transportTo(server, 10_000).send(REQUEST);
    expect(answer.body).toHaveLength(1024 * 1024);
  });

  it('reaches a host by its IPv6 address, where the machine has one', async () => {
    const server = await serveHttp((_request, response) => response.end('six'), '::1').catch(() => null);
    if (!server) return;
    expect((await transportTo(closing(server)).send(REQUEST)).body).toBe('six');
  });

  it('uses its connections again', async () => {
    const ports = new Set<number | undefined>();
    const server = closing(
      await serveHttp(({ socket }, response) => {
        ports.add(socket.remotePort);
        response.end();
      }),
    );
    const transport = transportTo(server);
    for (let i = 0; i < 20; i++) await transport.send(REQUEST);
    expect(ports.size).toBeLessThan(5);
  });
});

describe('a request counts as not written', () => {
  it('when the connection is refused', async () => {
    const server = await serveHttp(() => undefined);
    await server.close();
    expect(await failureOf(transportTo(server).send(REQUEST))).toMatchObject({
      written: false,
      code: 'ECONNREFUSED',
    });
  });

  it('when the name has no address', async () => {
    const { written, code } = await failureOf(transportTo({ url: 'http://atlas.invalid' }).send(REQUEST));
    expect([written, code]).toEqual([false, expect.stringMatching(/^(ENOTFOUND|EAI_AGAIN)$/)]);
  });

  it('when the certificate is signed by itself', async () => {
    const server = closing(await serveHttps(await certificateFor(), (_request, response) => response.end()));
    expect(await failureOf(transportTo(server).send(REQUEST))).toMatchObject({
      written: false,
      code: 'DEPTH_ZERO_SELF_SIGNED_CERT',
    });
  });

  it.each<[what: string, onConnect: (socket: net.Socket) => unknown]>([
    ['speaks something else', (socket) => socket.write('220 smtp ready\r\n')],
    ['closes', (socket) => socket.end()],
    ['resets', (socket) => socket.resetAndDestroy()],
    ['says nothing until the timeout', () => undefined],
  ])('when the server %s instead of a TLS handshake', async (_what, onConnect) => {
    const server = closing(
      await serveSocket((socket, text) => {
        if (text === null) onConnect(socket);
      }),
    );
    const url = server.url.replace('http:', 'https:');
    const { written, code } = await failureOf(transportTo({ url }, 500).send(REQUEST));
    expect(written).toBe(false);
    expect(code).not.toBe('UNKNOWN');
    // Ends the connection attempt, for which the transport would wait when it closes.
    await server.close();
  });
});

describe('a request counts as written', () => {
  it.each<[what: string, code: string, onRequest: (socket: net.Socket) => unknown]>([
    ['resets the connection', 'ECONNRESET|UND_ERR_SOCKET', (socket) => socket.resetAndDestroy()],
    ['closes the connection', 'UND_ERR_SOCKET', (socket) => socket.end()],
    ['says nothing until the timeout', 'TIMEOUT', () => undefined],
    ['answers something else', 'HTTPParserError', (socket) => socket.end('220 smtp ready\r\n\r\n')],
    ['stops within the headers', 'UND_ERR_SOCKET', (socket) => socket.end('HTTP/1.1 201 Created\r\nConte')],
    [
      'stops within the body',
      'UND_ERR_SOCKET',
      (socket) => socket.end('HTTP/1.1 201 Created\r\nContent-Length: 99\r\n\r\n{"linkToken":"CANARY'),
    ],
    [
      'stops within a chunk',
      'UND_ERR_SOCKET',
      (socket) =>
        socket.end('HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n40\r\n{"linkToken":"CANARY'),
    ],
    [
      'breaks its gzip',
      'Z_DATA_ERROR',
      (socket) => socket.end(tokenAnswer('CANARY').replace('\r\n', '\r\nContent-Encoding: gzip\r\n')),
    ],
    [
      'stops behind the headers until the timeout',
      'TIMEOUT',
      (socket) => socket.write('HTTP/1.1 201 Created\r\nContent-Length: 99\r\n\r\n'),
    ],
  ])('when the server %s', async (_what, code, onRequest) => {
    const server = closing(
      await serveSocket((socket, text) => {
        if (text !== null) onRequest(socket);
      }),
    );
    const error = await failureOf(transportTo(server, 500).send(REQUEST));
    expect(error).toMatchObject({ written: true, endpoint: 'linkTokens' });
    expect(error.code).toMatch(new RegExp(`^(${code})$`));
  });

  it('when the answer drips in more slowly than the timeout allows', async () => {
    const body = '{"linkToken":"CANARY"}';
    const server = closing(
      await serveHttp((_request, response) => {
        response.writeHead(201, { 'Content-Length': body.length });
        let sent = 0;
        const timer = setInterval(() => response.write(body.charAt(sent++)), 60);
        response.on('close', () => clearInterval(timer));
      }),
    );
    const startedAt = Date.now();
    expect(await failureOf(transportTo(server, 400).send(REQUEST))).toMatchObject({
      written: true,
      code: 'TIMEOUT',
    });
    expect(Date.now() - startedAt).toBeLessThan(1200);
  });

  it('when a kept-alive connection is cut as the second request arrives', async () => {
    let requests = 0;
    const server = closing(
      await serveSocket((socket, text) => {
        if (text === null || !text.startsWith('POST')) return;
        if (++requests === 1) socket.write(tokenAnswer('{}'));
        else socket.resetAndDestroy();
      }),
    );
    const transport = transportTo(server);
    await transport.send(REQUEST);
    expect(await failureOf(transport.send(REQUEST))).toMatchObject({ written: true });
    expect(requests).toBe(2);
  });

  it('when a kept-alive connection was closed and the client could not know yet', async () => {
    let accepted: net.Socket | undefined;
    let requests = 0;
    const server = closing(
      await serveSocket((socket, text) => {
        accepted = socket;
        if (!text?.startsWith('POST')) return;
        requests += 1;
        socket.write(tokenAnswer('{}'));
      }),
    );
    const transport = transportTo(server);
    await transport.send(REQUEST);
    accepted?.resetAndDestroy();
    // Whether it learns of the reset before it writes is a race; both ends of it are right, and no third is.
    const outcome = await transport.send(REQUEST).catch((error: unknown) => error);
    if (outcome instanceof AtlasConnectionError) expect([outcome.written, requests]).toEqual([true, 1]);
    else expect([outcome, requests]).toEqual([expect.objectContaining({ status: 201 }), 2]);
  });
});

describe('a refusal', () => {
  it.each([400, 404, 429, 500, 503])('%i is told though its body is cut off', async (status) => {
    const server = closing(
      await serveSocket((socket, text) => {
        if (text !== null) socket.end(`HTTP/1.1 ${status} No\r\nContent-Length: 99\r\n\r\n{"error":`);
      }),
    );
    expect(await transportTo(server).send(REQUEST)).toMatchObject({ status, body: '' });
  });
});

describe('startSignal', () => {
  const reason = new Error('told to stop');

  async function countingServer(delayMs: number): Promise<TestServer & { requests: string[] }> {
    const requests: string[] = [];
    const server = await serveHttp(({ url = '' }, response) => {
      requests.push(url);
      setTimeout(() => response.writeHead(201).end('{}'), delayMs);
    });
    return closing({ requests, ...server });
  }

  it('aborted beforehand stops the request, with its own reason', async () => {
    const server = await countingServer(0);
    const startSignal = AbortSignal.abort(reason);
    await expect(transportTo(server).send({ ...REQUEST, startSignal })).rejects.toBe(reason);
    expect(server.requests).toEqual([]);
  });

  it('aborted while the request is under way leaves it alone: its answer may hold a token', async () => {
    const server = await countingServer(200);
    const abort = new AbortController();
    const answer = transportTo(server).send({ ...REQUEST, startSignal: abort.signal });
    await sleep(80);
    abort.abort(reason);
    await expect(answer).resolves.toMatchObject({ status: 201 });
    expect(server.requests).toHaveLength(1);
  });
});

describe('what Node takes at its start only', () => {
  let folder: string;
  beforeAll(() => (folder = mkdtempSync(path.join(os.tmpdir(), 'transport-'))));
  afterAll(() => rmSync(folder, { recursive: true }));

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

  async function secureServer(options?: Parameters<typeof certificateFor>[0]) {
    const certificate = await certificateFor(options);
    const paths: string[] = [];
    const server = await serveHttps(certificate, ({ url = '' }, response) => {
      paths.push(url);
      response.end('secure');
    });
    return closing({ ...server, cert: certificate.cert, paths });
  }

  it('HTTPS_PROXY carries the request through a tunnel, and NO_PROXY past it', async () => {
    const { url, port, cert } = await secureServer();
    const proxy = closing(await serveConnectProxy());
    const answer = { status: 200, body: 'secure' };
    expect(await sendOnce(cert, { HTTPS_PROXY: proxy.url }, url)).toEqual(answer);
    expect(proxy.tunnels).toEqual([`127.0.0.1:${port}`]);
    expect(await sendOnce(cert, { HTTPS_PROXY: proxy.url, NO_PROXY: '127.0.0.1' }, url)).toEqual(answer);
    expect(proxy.tunnels).toHaveLength(1);
  }, 20_000);

  it('a proxy that is down, or refuses, means that nothing was written', async () => {
    const { url, cert, paths } = await secureServer();
    const refusing = closing(
      await serveSocket((socket, text) => {
        if (text !== null) socket.end('HTTP/1.1 407 No\r\nContent-Length: 0\r\n\r\n');
      }),
    );
    const down = await serveHttp(() => undefined);
    await down.close();
    expect(await sendOnce(cert, { HTTPS_PROXY: refusing.url }, url)).toMatchObject({ written: false });
    expect(await sendOnce(cert, { HTTPS_PROXY: down.url }, url)).toMatchObject({
      written: false,
      code: 'ECONNREFUSED',
    });
    expect(paths).toEqual([]);
  }, 20_000);

  it.each([
    ['of another host', { ip: '192.0.2.1' }, 'ERR_TLS_CERT_ALTNAME_INVALID'],
    ['that has expired', { expired: true }, 'CERT_HAS_EXPIRED'],
  ])(
    'a certificate %s means that nothing was written',
    async (_what, options, code) => {
      const { url, cert, paths } = await secureServer(options);
      expect(await sendOnce(cert, {}, url)).toMatchObject({ written: false, code });
      expect(paths).toEqual([]);
    },
    20_000,
  );

  it('startSignal aborted while the connection is made stops the request before it is written', async () => {
    const { url, port, cert, paths } = await secureServer();
    const slow = closing(
      await serveSocket((client, text) => {
        if (text !== null) return;
        client.pause();
        setTimeout(() => {
          const target = net.connect(port, '127.0.0.1');
          target.on('error', () => client.destroy());
          client.pipe(target).pipe(client);
        }, 600);
      }),
    );
    const through = url.replace(String(port), String(slow.port));
    expect(await sendOnce(cert, {}, through, '200')).toMatchObject({ message: 'told to stop' });
    expect(await sendOnce(cert, {}, through)).toEqual({ status: 200, body: 'secure' });
    expect(paths).toHaveLength(1);
  }, 20_000);
});
