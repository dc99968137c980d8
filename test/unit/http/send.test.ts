import { EventEmitter, once } from 'node:events';
import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { inspect } from 'node:util';
import { gzipSync } from 'node:zlib';
import { HttpError, createSender, type HttpRequest, type SendOptions } from '../../../src/http/send';
import { VERSION } from '../../../src/version';
import { closeLater } from '../../support/clean-up';
import { certificateFor, serveHttp, serveHttps, serveSocket, type HttpHandler } from '../../support/servers';
import { rejectionOf } from '../rejection';

const REQUEST: Omit<HttpRequest, 'url'> = {
  method: 'POST',
  headers: { Authorization: 'Bearer CANARY-bearer', Accept: 'a/b', 'Content-Type': 'c/d' },
  body: '{"a":"ü"}',
};

type Send = (options?: SendOptions) => ReturnType<ReturnType<typeof createSender>['send']>;

function sendTo(server: { url: string }, timeoutMs = 2000): Send {
  const sender = closeLater(createSender(timeoutMs));
  return (options) => sender.send({ ...REQUEST, url: `${server.url}/api?pretty=true` }, options);
}

/** Sends to a server that responds so. */
const sendToHttp = async (respond: HttpHandler, timeoutMs?: number) =>
  sendTo(await serveHttp(respond), timeoutMs);

/** The same, below HTTP. */
const sendToSocket = async (onText: (socket: Socket, text: string) => unknown, timeoutMs?: number) =>
  sendTo(await serveSocket((socket, text) => text !== null && onText(socket, text)), timeoutMs);

async function failureOf(work: Promise<unknown>): Promise<HttpError> {
  const error = await rejectionOf(work);
  expect(error).toBeInstanceOf(HttpError);
  expect(inspect(error, { showHidden: true, depth: 10 })).not.toContain('CANARY');
  return error as HttpError;
}

const TOO_LONG = `HTTP/1.1 201 Created\r\nX-Token: ${'CANARY'.repeat(10_000)}\r\n\r\n`;
const created = (body: string) =>
  `HTTP/1.1 201 Created\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`;

describe('a request', () => {
  it('arrives with its method, path, headers, body and product, and returns the response', async () => {
    const send = await sendToHttp(({ method, url, headers, text }, response) => {
      const { accept, authorization, 'content-type': type, 'content-length': length } = headers;
      response.writeHead(429, { 'WWW-Authenticate': 'Digest realm="r", nonce="n"', 'Retry-After': '7' });
      response.end(
        JSON.stringify([method, url, accept, authorization, type, length, text, headers['user-agent']]),
      );
    });
    const { text, ...response } = await send();
    const [bearer, product] = ['Bearer CANARY-bearer', `live-migration-prep/${VERSION}`];
    expect(response).toEqual({
      status: 429,
      json: ['POST', '/api?pretty=true', 'a/b', bearer, 'c/d', '10', '{"a":"ü"}', product],
      challenge: 'Digest realm="r", nonce="n"',
      retryAfterMs: 7000,
    });
    expect(JSON.parse(text)).toEqual(response.json);
  });

  it.each(['', '<html>', '{"a":', 'null'])('whose response is %j has no JSON', async (text) => {
    const send = await sendToHttp((_request, response) => response.end(text));
    expect(await send()).toMatchObject({ status: 200, json: null, text });
  });

  it.each([301, 302, 307, 308, 401, 407, 421, 425, 429, 503])(
    'is sent once when the response is %i, and follows no redirect, which would carry the credential on',
    async (status) => {
      const urls: unknown[] = [];
      const send = await sendToHttp(({ url }, response) => {
        urls.push(url);
        response.writeHead(urls.length === 1 ? status : 201, { Location: '/elsewhere' }).end('{}');
      });
      expect(await send()).toMatchObject({ status, json: {} });
      expect(urls).toEqual(['/api?pretty=true']);
    },
  );

  it.each<[encoding: string, encode: (text: string) => Buffer]>([
    ['gzip', gzipSync],
    ['GZIP', gzipSync],
    ['gzip', (text) => gzipSync(text).subarray(0, -8)],
    ['identity', (text) => Buffer.from(text)],
  ])('requests gzip, and reads a response whose encoding is %s', async (encoding, encode) => {
    const requested: unknown[] = [];
    const send = await sendToHttp(({ headers }, response) => {
      requested.push(headers['accept-encoding']);
      response.writeHead(201, { 'Content-Encoding': encoding }).end(encode('{"linkToken":"CANARY"}'));
    });
    expect((await send()).json).toEqual({ linkToken: 'CANARY' });
    expect(requested).toEqual(['gzip']);
  });

  const GZIP = { 'Content-Encoding': 'gzip' };

  it.each<[what: string, status: number, body: string]>([
    ['204', 204, ''],
    ['nothing', 200, ''],
    ['no gzip', 201, 'CANARY'],
  ])('whose response says that it is gzip and is %s has no text', async (_what, status, body) => {
    const send = await sendToHttp((_request, response) => response.writeHead(status, GZIP).end(body));
    expect(await send()).toMatchObject({ status, text: '', json: null });
  });

  const MIB = 1024 * 1024;

  it.each([201, 503])('of which the response %i has 1 MiB at most, in whatever encoding', async (status) => {
    for (const size of [MIB, MIB + 1]) {
      const body = Buffer.alloc(size, 'x');
      const responses = [[{}, body] as const, [GZIP, gzipSync(body)] as const];
      for (const [headers, sent] of responses) {
        const send = await sendToHttp((_request, response) => response.writeHead(status, headers).end(sent));
        const { text, ...response } = await send();
        expect([response.status, text.length]).toEqual([status, size === MIB ? MIB : 0]);
      }
    }
  });

  it('uses its connections again', async () => {
    const ports = new Set<number | undefined>();
    const send = await sendToHttp(({ socket }, response) => {
      ports.add(socket.remotePort);
      response.end();
    });
    for (let i = 0; i < 20; i++) await send();
    expect(ports.size).toBeLessThan(5);
  });
});

describe('a request counts as not written', () => {
  async function closedServer() {
    const server = await serveHttp(() => undefined);
    await server.close();
    return server;
  }
  const NOWHERE = { url: 'http://atlas.invalid' };
  const selfSigned = async () => await serveHttps(await certificateFor(), () => undefined);

  it.each<[what: string, code: RegExp, serve: () => Promise<{ url: string }>]>([
    ['the connection is refused', /^ECONNREFUSED$/, closedServer],
    ['the name has no address', /^(ENOTFOUND|EAI_AGAIN)$/, () => Promise.resolve(NOWHERE)],
    ['the certificate is signed by itself', /^DEPTH_ZERO_SELF_SIGNED_CERT$/, selfSigned],
  ])('when %s', async (_what, code, serve) => {
    const error = await failureOf(sendTo(await serve())());
    expect([error.written, error.code]).toEqual([false, expect.stringMatching(code)]);
  });

  it.each<[what: string, onConnect: (socket: Socket) => unknown]>([
    ['speaks something else', (socket) => socket.write('220 smtp ready\r\n')],
    ['closes', (socket) => socket.end()],
    ['resets', (socket) => socket.resetAndDestroy()],
    ['says nothing until the timeout', () => undefined],
  ])('when the server %s instead of a TLS handshake', async (_what, onConnect) => {
    const server = await serveSocket((socket, text) => text === null && onConnect(socket));
    const { written, code } = await failureOf(sendTo({ url: server.url.replace('http:', 'https:') }, 200)());
    expect(written).toBe(false);
    expect(code).not.toBe('UNKNOWN');
    // Ends the connection attempt, for which the sender would wait when it closes.
    await server.close();
  });
});

describe('a request counts as written', () => {
  it.each<[what: string, code: RegExp, onRequest: (socket: Socket) => unknown]>([
    ['resets the connection', /^(ECONNRESET|UND_ERR_SOCKET)$/, (socket) => socket.resetAndDestroy()],
    ['closes the connection', /^UND_ERR_SOCKET$/, (socket) => socket.end()],
    ['says nothing until the timeout', /^TIMEOUT$/, () => undefined],
    ['sends something else', /^HTTPParserError$/, (socket) => socket.end('220 smtp ready\r\n\r\n')],
    ['stops within the headers', /^UND_ERR_SOCKET$/, (socket) => socket.end('HTTP/1.1 201 Created\r\nConte')],
    ['sends headers too long', /^UND_ERR_HEADERS_OVERFLOW$/, (socket) => socket.write(TOO_LONG)],
  ])('when the server %s', async (_what, code, onRequest) => {
    const send = await sendToSocket(onRequest, code.test('TIMEOUT') ? 200 : 30_000);
    const error = await failureOf(send());
    expect([error.written, error.code]).toEqual([true, expect.stringMatching(code)]);
  });

  it('when the response drips in more slowly than the timeout allows', async () => {
    const body = '{"linkToken":"CANARY"}';
    const send = await sendToHttp((_request, response) => {
      response.writeHead(201, { 'Content-Length': body.length });
      let sent = 0;
      const timer = setInterval(() => response.write(body.charAt(sent++)), 30);
      response.on('close', () => clearInterval(timer));
    }, 200);
    expect(await failureOf(send())).toMatchObject({ written: true, code: 'TIMEOUT' });
  });

  it('when a kept-alive connection is cut as the second request arrives', async () => {
    let requests = 0;
    const send = await sendToSocket((socket, text) => {
      if (!text.startsWith('POST')) return;
      if (++requests === 1) socket.write(created('{}'));
      else socket.resetAndDestroy();
    });
    await send();
    expect(await failureOf(send())).toMatchObject({ written: true });
    expect(requests).toBe(2);
  });
});

const CUT_OFF = 'Content-Length: 99\r\n\r\n{"linkToken":"CANARY';
const CHUNK = 'Transfer-Encoding: chunked\r\n\r\n40\r\n{"linkToken":"CANARY';
const GZIPPED = `Content-Encoding: gzip\r\nContent-Length: 999\r\n\r\n${gzipSync('{"linkToken":"CANARY"}').toString('latin1')}`;

/** Bodies that do not end well, behind a status that arrived. */
it.each([
  { what: 'is cut off', rest: CUT_OFF, ends: true },
  { what: 'is cut off within a chunk', rest: CHUNK, ends: true },
  { what: 'is cut off within gzip', rest: GZIPPED, ends: true },
  { what: 'does not arrive within the timeout', rest: CUT_OFF, ends: false },
  { what: 'does not arrive within the timeout, in gzip', rest: GZIPPED, ends: false },
])('a body that $what is an error of a success, unless the status alone decides', async ({ rest, ends }) => {
  const sendFor = (status: number) =>
    sendToSocket(
      (socket) => {
        socket.write(`HTTP/1.1 ${status} X\r\n${rest}`, 'latin1');
        if (ends) socket.end();
      },
      ends ? 30_000 : 200,
    );
  const code = ends ? 'UND_ERR_SOCKET' : 'TIMEOUT';
  expect(await failureOf((await sendFor(201))())).toMatchObject({ written: true, code });
  for (const status of [302, 503])
    expect(await (await sendFor(status))()).toMatchObject({ status, json: null });
  const success = await (await sendFor(200))({ bodyOptional: true });
  expect(success).toMatchObject({ status: 200, json: null });
});

const reason = new Error('stopped');

/** A server that leaves each response to the test. */
async function holdingServer() {
  const requests = new EventEmitter();
  let count = 0;
  const server = await serveHttp((_request, response) => {
    count += 1;
    requests.emit('request', response);
  });
  const next = async () => (await once(requests, 'request')) as [ServerResponse];
  return { ...server, count: () => count, next };
}

describe.each(['abort', 'abortUntilWritten'] as const)('%s', (name) => {
  it('aborted beforehand stops the request, with its own reason', async () => {
    const server = await holdingServer();
    await expect(sendTo(server)({ [name]: AbortSignal.abort(reason) })).rejects.toBe(reason);
    expect(server.count()).toBe(0);
  });

  it('aborted while the request is under way ends it, unless its response may hold a token', async () => {
    const server = await holdingServer();
    const controller = new AbortController();
    const sent = sendTo(server)({ [name]: controller.signal });
    const [response] = await server.next();
    controller.abort(reason);
    if (name === 'abort') await expect(sent).rejects.toBe(reason);
    response.writeHead(201).end('{}');
    if (name === 'abortUntilWritten') await expect(sent).resolves.toMatchObject({ status: 201 });
    expect(server.count()).toBe(1);
  });
});

it('closing ends a request under way as one whose response was lost', async () => {
  const server = await holdingServer();
  const sender = createSender(2000);
  const sent = failureOf(sender.send({ ...REQUEST, url: server.url }));
  await server.next();
  await sender.close();
  expect(await sent).toMatchObject({ written: true });
});
