import { EventEmitter, once } from 'node:events';
import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { gzipSync } from 'node:zlib';
import {
  HttpError,
  createSender,
  type HttpRequest,
  type SendOptions,
} from '../../../src/http/send';
import { VERSION } from '../../../src/version';
import { closeLater } from '../../support/clean-up';
import * as servers from '../../support/servers';
import { rejectionWithoutCanary } from '../rejection';

const REQUEST: Omit<HttpRequest, 'url'> = {
  method: 'POST',
  headers: { Authorization: 'Bearer CANARY-bearer', Accept: 'a/b', 'Content-Type': 'c/d' },
  body: '{"a":"ü"}',
};
const MIB = 1024 * 1024;
const TOKEN = '{"linkToken":"CANARY"}';

/** Long enough, on a busy machine, for all of a request but what a server withholds. */
const TIMEOUT_MS = 1000;
const timeoutFor = (code: RegExp) => (code.test('TIMEOUT') ? TIMEOUT_MS : 30_000);

type Send = (options?: SendOptions) => ReturnType<ReturnType<typeof createSender>['send']>;

function sendTo(server: { url: string }, timeoutMs = 30_000): Send {
  const sender = closeLater(createSender(timeoutMs));
  return (options) => sender.send({ ...REQUEST, url: `${server.url}/api?pretty=true` }, options);
}

/** Sends to an HTTP server with this handler. */
const sendToHttp = async (respond: servers.HttpHandler) => sendTo(await servers.serveHttp(respond));

/** Sends to a TCP server with this handler. */
const sendToSocket = async (
  onText: (socket: Socket, text: string) => unknown,
  timeoutMs = 30_000,
) =>
  sendTo(
    await servers.serveSocket((socket, text) => text !== null && onText(socket, text)),
    timeoutMs,
  );

const failureOf = (work: Promise<unknown>) => rejectionWithoutCanary(work, HttpError);

describe('a request', () => {
  it('arrives with all its parts and a User-Agent, and its response is returned', async () => {
    const send = await sendToHttp(({ method, url, headers, text }, response) => {
      response.writeHead(429, {
        'WWW-Authenticate': 'Digest realm="r", nonce="n"',
        'Retry-After': '7',
      });
      response.end(JSON.stringify({ method, url, headers, text }));
    });
    const { text, ...response } = await send();
    const { Authorization: authorization } = REQUEST.headers;
    const userAgent = { 'user-agent': `live-migration-prep/${VERSION}` };
    expect(response).toMatchObject({
      status: 429,
      challenge: 'Digest realm="r", nonce="n"',
      retryAfterMs: 7000,
      json: {
        method: 'POST',
        url: '/api?pretty=true',
        text: '{"a":"ü"}',
        headers: {
          authorization,
          accept: 'a/b',
          'content-type': 'c/d',
          'content-length': '10',
          ...userAgent,
        },
      },
    });
    expect(JSON.parse(text)).toEqual(response.json);
  });

  it.each([302, 401, 407, 421, 503])(
    'that gets the status %i is sent once: no retry, no redirect',
    async (status) => {
      const urls: unknown[] = [];
      const send = await sendToHttp(({ url }, response) => {
        urls.push(url);
        response.writeHead(urls.length === 1 ? status : 201, { Location: '/elsewhere' }).end('{}');
      });
      expect(await send()).toMatchObject({ status, json: {} });
      expect(urls).toHaveLength(1);
    },
  );

  it.each<[what: string, encoding: string, body: Buffer]>([
    ['gzip', 'GZIP', gzipSync(TOKEN)],
    ['gzip without its checksum', 'gzip', gzipSync(TOKEN).subarray(0, -8)],
  ])('asks for gzip, and reads a body that is %s', async (_what, encoding, body) => {
    const send = await sendToHttp(({ headers }, response) => {
      response.writeHead(headers['accept-encoding'] === 'gzip' ? 201 : 406, {
        'Content-Encoding': encoding,
      });
      response.end(body);
    });
    expect(await send()).toMatchObject({ status: 201, text: TOKEN });
  });

  it('reads no body from a response that is not gzip as its header says', async () => {
    const headers = { 'Content-Encoding': 'gzip' };
    const send = await sendToHttp((_request, response) =>
      response.writeHead(201, headers).end('CANARY'),
    );
    expect(await send()).toMatchObject({ status: 201, text: '' });
  });

  it.each([
    ['no', {}, (body: Buffer) => body],
    ['gzip', { 'Content-Encoding': 'gzip' }, gzipSync],
  ])(
    'takes a body of 1 MiB and leaves out a longer one, with %s encoding',
    async (_encoding, headers, encode) => {
      for (const size of [MIB, MIB + 1]) {
        const body = encode(Buffer.alloc(size, 'x'));
        const send = await sendToHttp((_request, response) =>
          response.writeHead(201, headers).end(body),
        );
        const { status, text } = await send();
        expect([status, text.length]).toEqual([201, size === MIB ? MIB : 0]);
      }
    },
  );
});

describe('a request counts as not written when', () => {
  it.each<[what: string, code: RegExp, onConnect: (socket: Socket) => unknown]>([
    ['speaks something else', /^ERR_SSL/, (socket) => socket.write('220 smtp ready\r\n')],
    ['resets', /^ECONNRESET$/, (socket) => socket.resetAndDestroy()],
    ['says nothing until the timeout', /^TIMEOUT$/, () => undefined],
  ])('the server %s instead of a TLS handshake', async (_what, code, onConnect) => {
    const server = await servers.serveSocket((socket, text) => text === null && onConnect(socket));
    const error = await failureOf(
      sendTo({ url: server.url.replace('http:', 'https:') }, timeoutFor(code))(),
    );
    expect([error.isWritten, error.code]).toEqual([false, expect.stringMatching(code)]);
    // Ends the connection attempt, for which the sender would wait when it closes.
    await server.close();
  });

  it('the certificate is not trusted, or the connection is refused', async () => {
    const server = await servers.serveHttps(await servers.certificateFor(), () => undefined);
    const untrusted = { isWritten: false, code: 'DEPTH_ZERO_SELF_SIGNED_CERT' };
    expect(await failureOf(sendTo(server)())).toMatchObject(untrusted);
    await server.close();
    expect(await failureOf(sendTo(server)())).toMatchObject({
      isWritten: false,
      code: 'ECONNREFUSED',
    });
  });
});

describe('a request counts as written', () => {
  const TOO_LONG = `HTTP/1.1 201 Created\r\nX-Token: ${'CANARY'.repeat(10_000)}\r\n\r\n`;

  it.each<[what: string, code: RegExp, onRequest: (socket: Socket) => unknown]>([
    [
      'resets the connection',
      /^(ECONNRESET|UND_ERR_SOCKET)$/,
      (socket) => socket.resetAndDestroy(),
    ],
    ['says nothing until the timeout', /^TIMEOUT$/, () => undefined],
    ['sends something else', /^HTTPParserError$/, (socket) => socket.end('220 CANARY\r\n\r\n')],
    [
      'stops within the headers',
      /^UND_ERR_SOCKET$/,
      (socket) => socket.end('HTTP/1.1 201 Created\r\nConte'),
    ],
    ['sends headers too long', /^UND_ERR_HEADERS_OVERFLOW$/, (socket) => socket.write(TOO_LONG)],
  ])('when the server %s', async (_what, code, onRequest) => {
    const send = await sendToSocket(onRequest, timeoutFor(code));
    const error = await failureOf(send());
    expect([error.isWritten, error.code]).toEqual([true, expect.stringMatching(code)]);
  });

  it('when a kept-alive connection is cut as the second request arrives', async () => {
    let requests = 0;
    const send = await sendToSocket((socket, text) => {
      if (!text.startsWith('POST')) return;
      if (++requests === 1) socket.write('HTTP/1.1 201 Created\r\nContent-Length: 2\r\n\r\n{}');
      else socket.resetAndDestroy();
    });
    await send();
    expect(await failureOf(send())).toMatchObject({ isWritten: true });
    expect(requests).toBe(2);
  });
});

it.each([
  ['is cut off', 'UND_ERR_SOCKET', 30_000],
  ['does not arrive in time', 'TIMEOUT', TIMEOUT_MS],
])(
  'a 201 whose body %s fails; a 302, or a 200 with bodyOptional, does not',
  async (_how, code, timeoutMs) => {
    const sendFor = (status: number) =>
      sendToSocket((socket) => {
        socket.write(`HTTP/1.1 ${status} X\r\nContent-Length: 99\r\n\r\n{"linkToken":"CANARY`);
        if (code !== 'TIMEOUT') socket.end();
      }, timeoutMs);
    const [created, redirect, success] = await Promise.all([
      sendFor(201),
      sendFor(302),
      sendFor(200),
    ]);
    const responses = [failureOf(created()), redirect(), success({ bodyOptional: true })];
    const bodiless = [302, 200].map((status) => ({ status, json: null }));
    expect(await Promise.all(responses)).toMatchObject([{ isWritten: true, code }, ...bodiless]);
  },
);

/** Sends a request whose response the test sends, once the request is there. */
async function sendAndHold(options?: SendOptions) {
  const arrivals = new EventEmitter();
  const server = await servers.serveHttp(
    (_request, response) => void arrivals.emit('request', response),
  );
  const sender = closeLater(createSender(30_000));
  const sending = sender.send({ ...REQUEST, url: server.url }, options);
  const [response] = (await once(arrivals, 'request')) as [ServerResponse];
  return { sender, sending, response };
}

const STOPPED = new Error('stopped');

it('a request is not sent if abort is already aborted: it fails with its reason', async () => {
  const arrived = jest.fn();
  const send = await sendToHttp(arrived);
  await expect(send({ abort: AbortSignal.abort(STOPPED) })).rejects.toBe(STOPPED);
  expect(arrived).not.toHaveBeenCalled();
});

it('a written request fails with the reason of abort once that is aborted', async () => {
  const stop = new AbortController();
  const { sending } = await sendAndHold({ abort: stop.signal });
  stop.abort(STOPPED);
  await expect(sending).rejects.toBe(STOPPED);
});

it('closing ends a request under way, which counts as written', async () => {
  const { sender, sending } = await sendAndHold();
  const failure = failureOf(sending);
  await sender.close();
  expect(await failure).toMatchObject({ isWritten: true });
});

const { env } = process;
afterEach(() => void (process.env = env));

/** Sends a request by a sender that finds these variables. */
function sendWith(variables: NodeJS.ProcessEnv, { url }: { url: string }, options?: SendOptions) {
  process.env = variables;
  const sender = closeLater(createSender(5000));
  return sender.send({ method: 'POST', url, headers: {}, body: '{}' }, options);
}

const serveTarget = () =>
  servers.serveHttp((_request, response) => void response.writeHead(204).end());

it('HTTP_PROXY carries a request through a tunnel, and NO_PROXY past it', async () => {
  const [proxy, target] = [await servers.serveConnectProxy(), await serveTarget()];
  expect(await sendWith({ HTTP_PROXY: proxy.url }, target)).toMatchObject({ status: 204 });
  expect(proxy.tunnels).toEqual([target.address]);
  const past = { HTTP_PROXY: proxy.url, NO_PROXY: '127.0.0.1' };
  expect(await sendWith(past, target)).toMatchObject({ status: 204 });
  expect(proxy.tunnels).toHaveLength(1);
});

it('an empty http_proxy does not hide HTTP_PROXY, nor no_proxy NO_PROXY', async () => {
  const [proxy, target] = [await servers.serveConnectProxy(), await serveTarget()];
  const variables = { http_proxy: '', HTTP_PROXY: proxy.url, no_proxy: '', NO_PROXY: 'other.test' };
  expect(await sendWith(variables, target)).toMatchObject({ status: 204 });
  expect(proxy.tunnels).toEqual([target.address]);
});

it.each<[does: string, respond: (socket: Socket) => unknown, error: object]>([
  [
    'refuses a tunnel',
    (socket) => socket.end('HTTP/1.1 407 No\r\nContent-Length: 0\r\n\r\n'),
    { isWritten: false, code: 'PROXY_STATUS_407' },
  ],
  ['closes the connection', (socket) => socket.destroy(), { isWritten: false, code: 'ECONNRESET' }],
])(
  'a proxy that %s is asked once, and the request counts as not written',
  async (_does, respond, error) => {
    let connections = 0;
    const proxy = await servers.serveSocket((socket, text) => {
      if (text === null) return;
      connections += 1;
      respond(socket);
    });
    const target = await serveTarget();
    await expect(sendWith({ HTTP_PROXY: proxy.url }, target)).rejects.toMatchObject(error);
    expect(connections).toBe(1);
  },
);

it('a request ends if abort is aborted while a proxy does not respond', async () => {
  const [stop, reason] = [new AbortController(), new Error('stopped')];
  const proxy = await servers.serveSocket(() => stop.abort(reason));
  process.env = { HTTP_PROXY: proxy.url };
  // With this timeout, the test fails unless the signal ends the wait.
  const sender = closeLater(createSender(3_600_000));
  const request = { method: 'POST', url: 'http://atlas.test', headers: {} } as const;
  await expect(sender.send(request, { abort: stop.signal })).rejects.toBe(reason);
});
