import type net from 'node:net';
import os from 'node:os';
import { inspect } from 'node:util';
import { gzipSync } from 'node:zlib';
import { HttpError, createSender, type HttpRequest, type SendOptions } from '../../../src/http/send';
import { VERSION } from '../../../src/http/version';
import { closingAfterEach } from '../../support/closing';
import { certificateFor, serveHttp, serveHttps, serveSocket } from '../../support/servers';

const closing = closingAfterEach();

const REQUEST: Omit<HttpRequest, 'url'> = {
  method: 'POST',
  headers: { Authorization: 'Bearer CANARY-bearer', Accept: 'a/b', 'Content-Type': 'c/d' },
  body: '{"a":"ü"}',
};

function senderTo(server: { url: string }, timeoutMs = 2000) {
  const sender = closing(createSender(timeoutMs));
  const url = `${server.url}/api?pretty=true`;
  return { send: (options?: SendOptions) => sender.send({ ...REQUEST, url }, options) };
}

async function failureOf(work: Promise<unknown>): Promise<HttpError> {
  const error = await work.then(
    () => new Error('it did not fail'),
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(HttpError);
  expect(inspect(error, { showHidden: true, depth: 10 })).not.toContain('CANARY');
  return error as HttpError;
}

const created = (body: string) =>
  `HTTP/1.1 201 Created\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`;

describe('a request', () => {
  it('arrives with its method, path, headers and body, and returns the response', async () => {
    const server = closing(
      await serveHttp(({ method, url, headers, text }, response) => {
        const { accept, authorization, 'content-type': type, 'content-length': length } = headers;
        response.writeHead(429, { 'WWW-Authenticate': 'Digest realm="r", nonce="n"', 'Retry-After': '7' });
        response.end(JSON.stringify([method, url, accept, authorization, type, length, text]));
      }),
    );
    const { text, ...response } = await senderTo(server).send();
    expect(response).toEqual({
      status: 429,
      json: ['POST', '/api?pretty=true', 'a/b', 'Bearer CANARY-bearer', 'c/d', '10', '{"a":"ü"}'],
      challenge: 'Digest realm="r", nonce="n"',
      retryAfterMs: 7000,
    });
    expect(JSON.parse(text)).toEqual(response.json);
  });

  it('names the product and its version', async () => {
    const server = closing(await serveHttp(({ headers }, response) => response.end(headers['user-agent'])));
    expect((await senderTo(server).send()).text).toBe(`live-migration-prep/${VERSION}`);
    expect(VERSION).toMatch(/^\d+\.\d+\.\d+/);
  });

  it.each(['', '<html>', '{"a":', 'null'])('whose response is %j has no JSON', async (text) => {
    const server = closing(await serveHttp((_request, response) => response.end(text)));
    expect(await senderTo(server).send()).toMatchObject({ status: 200, json: null, text });
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
      const response = await senderTo(server).send();
      expect([response.status, response.text, seen]).toEqual([status, 'moved', []]);
    },
  );

  it('reads gzip', async () => {
    const server = closing(
      await serveHttp((_request, response) => {
        response.writeHead(201, { 'Content-Encoding': 'gzip' }).end(gzipSync('{"linkToken":"x"}'));
      }),
    );
    expect(await senderTo(server).send()).toMatchObject({ status: 201, json: { linkToken: 'x' } });
  });

  it.each([
    ['a body of 3 MiB', (body: Buffer) => [{}, body] as const],
    [
      '3 MiB in a few bytes of gzip',
      (body: Buffer) => [{ 'Content-Encoding': 'gzip' }, gzipSync(body)] as const,
    ],
  ])('cuts off %s at 1 MiB', async (_what, responseOf) => {
    const [headers, body] = responseOf(Buffer.alloc(3 * 1024 * 1024, 'x'));
    const server = closing(
      await serveHttp((_request, response) => response.writeHead(200, headers).end(body)),
    );
    const { text } = await senderTo(server).send();
    expect(text).toBe('x'.repeat(1024 * 1024));
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
    const { text } = await senderTo(server, 10_000).send();
    expect(text).toHaveLength(1024 * 1024);
  });

  it('is decoded as UTF-8 as far as the limit allows', async () => {
    const limit = 1024 * 1024;
    const cut = closing(await serveHttp((_request, response) => response.end(`${'x'.repeat(limit - 1)}ü`)));
    expect((await senderTo(cut).send()).text.slice(-2)).toBe('x\ufffd');
  });

  const hasIpv6 = Object.values(os.networkInterfaces()).some((addresses) =>
    addresses?.some(({ address }) => address === '::1'),
  );
  (hasIpv6 ? it : it.skip)('reaches a host by its IPv6 address', async () => {
    const server = closing(await serveHttp((_request, response) => response.end('six'), '::1'));
    expect(server.url).toContain('[::1]');
    expect((await senderTo(server).send()).text).toBe('six');
  });

  it('uses its connections again', async () => {
    const ports = new Set<number | undefined>();
    const server = closing(
      await serveHttp(({ socket }, response) => {
        ports.add(socket.remotePort);
        response.end();
      }),
    );
    const sender = senderTo(server);
    for (let i = 0; i < 20; i++) await sender.send();
    expect(ports.size).toBeLessThan(5);
  });
});

describe('a request counts as not written', () => {
  it('when the connection is refused', async () => {
    const server = await serveHttp(() => undefined);
    await server.close();
    expect(await failureOf(senderTo(server).send())).toMatchObject({
      written: false,
      code: 'ECONNREFUSED',
    });
  });

  it('when the name has no address', async () => {
    const { written, code } = await failureOf(senderTo({ url: 'http://atlas.invalid' }).send());
    expect([written, code]).toEqual([false, expect.stringMatching(/^(ENOTFOUND|EAI_AGAIN)$/)]);
  });

  it('when the certificate is signed by itself', async () => {
    const server = closing(await serveHttps(await certificateFor(), (_request, response) => response.end()));
    expect(await failureOf(senderTo(server).send())).toMatchObject({
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
    const { written, code } = await failureOf(senderTo({ url }, 500).send());
    expect(written).toBe(false);
    expect(code).not.toBe('UNKNOWN');
    // Ends the connection attempt, for which the sender would wait when it closes.
    await server.close();
  });
});

describe('a request counts as written', () => {
  it.each<[what: string, code: string, onRequest: (socket: net.Socket) => unknown]>([
    ['resets the connection', 'ECONNRESET|UND_ERR_SOCKET', (socket) => socket.resetAndDestroy()],
    ['closes the connection', 'UND_ERR_SOCKET', (socket) => socket.end()],
    ['says nothing until the timeout', 'TIMEOUT', () => undefined],
    ['sends something else', 'HTTPParserError', (socket) => socket.end('220 smtp ready\r\n\r\n')],
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
      (socket) => socket.end(created('CANARY').replace('\r\n', '\r\nContent-Encoding: gzip\r\n')),
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
    const error = await failureOf(senderTo(server, 500).send());
    expect(error).toMatchObject({ written: true });
    expect(error.code).toMatch(new RegExp(`^(${code})$`));
  });

  it('when the response drips in more slowly than the timeout allows', async () => {
    const body = '{"linkToken":"CANARY"}';
    const server = closing(
      await serveHttp((_request, response) => {
        response.writeHead(201, { 'Content-Length': body.length });
        let sent = 0;
        const timer = setInterval(() => response.write(body.charAt(sent++)), 60);
        response.on('close', () => clearInterval(timer));
      }),
    );
    expect(await failureOf(senderTo(server, 400).send())).toMatchObject({
      written: true,
      code: 'TIMEOUT',
    });
  });

  it('when a kept-alive connection is cut as the second request arrives', async () => {
    let requests = 0;
    const server = closing(
      await serveSocket((socket, text) => {
        if (text === null || !text.startsWith('POST')) return;
        if (++requests === 1) socket.write(created('{}'));
        else socket.resetAndDestroy();
      }),
    );
    const sender = senderTo(server);
    await sender.send();
    expect(await failureOf(sender.send())).toMatchObject({ written: true });
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
        socket.write(created('{}'));
      }),
    );
    const sender = senderTo(server);
    await sender.send();
    accepted?.resetAndDestroy();
    // Whether it learns of the reset before it writes is a race; both ends of it are right, and no third is.
    const outcome = await sender.send().catch((error: unknown) => error);
    if (outcome instanceof HttpError) expect([outcome.written, requests]).toEqual([true, 1]);
    else expect([outcome, requests]).toEqual([expect.objectContaining({ status: 201 }), 2]);
  });
});

/** Ways in which a body does not end well, behind a status that arrived. */
const BROKEN_BODIES: [what: string, respond: (socket: net.Socket, status: number) => unknown][] = [
  ['is cut off', (socket, status) => socket.end(`HTTP/1.1 ${status} X\r\nContent-Length: 99\r\n\r\n{"a":`)],
  [
    'is no gzip although it says so',
    (socket, status) =>
      socket.end(`HTTP/1.1 ${status} X\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\n{}`),
  ],
  [
    'does not arrive within the timeout',
    (socket, status) => socket.write(`HTTP/1.1 ${status} X\r\nContent-Length: 99\r\n\r\n{"a":`),
  ],
];

describe.each(BROKEN_BODIES)('a response whose body %s', (_what, respond) => {
  async function senderFor(status: number) {
    const server = await serveSocket((socket, text) => {
      if (text !== null) respond(socket, status);
    });
    return senderTo(closing(server), 200);
  }

  it.each([302, 400, 503])('loses no more than its text when it is a refusal: %i', async (status) => {
    const sender = await senderFor(status);
    expect(await sender.send()).toMatchObject({ status, text: '', json: null });
  });

  it('is an error when it is a success', async () => {
    expect(await failureOf((await senderFor(200)).send())).toMatchObject({ written: true });
  });

  it('is a success without a text where the status alone decides', async () => {
    const sender = await senderFor(200);
    expect(await sender.send({ bodyOptional: true })).toMatchObject({ status: 200, text: '', json: null });
  });
});

/** Responds once `release` is called; `arrived` resolves with the first request. */
async function holdingServer(): Promise<{
  url: string;
  arrived: Promise<void>;
  release(): void;
  requests(): number;
}> {
  let requests = 0;
  let release = () => {};
  const released = new Promise<void>((resolve) => (release = resolve));
  let arrive = () => {};
  const arrived = new Promise<void>((resolve) => (arrive = resolve));
  const { url } = closing(
    await serveHttp((_request, response) => {
      requests += 1;
      arrive();
      void released.then(() => response.writeHead(201).end('{}'));
    }),
  );
  return { url, arrived, release, requests: () => requests };
}

const reason = new Error('stopped');

describe.each(['abort', 'abortUntilWritten'] as const)('%s', (name) => {
  it('aborted beforehand stops the request, with its own reason', async () => {
    const server = await holdingServer();
    await expect(senderTo(server).send({ [name]: AbortSignal.abort(reason) })).rejects.toBe(reason);
    expect(server.requests()).toBe(0);
  });

  it('that never aborts changes nothing', async () => {
    const server = await holdingServer();
    server.release();
    const { signal } = new AbortController();
    expect(await senderTo(server).send({ [name]: signal })).toMatchObject({ status: 201 });
  });
});

describe('abortUntilWritten', () => {
  it('aborted while the request is under way leaves it alone: its response may hold a token', async () => {
    const server = await holdingServer();
    const controller = new AbortController();
    const response = senderTo(server).send({ abortUntilWritten: controller.signal });
    await server.arrived;
    controller.abort(reason);
    server.release();
    await expect(response).resolves.toMatchObject({ status: 201 });
    expect(server.requests()).toBe(1);
  });
});

describe('abort', () => {
  it('ends a request that is under way, with its own reason', async () => {
    const server = await holdingServer();
    const controller = new AbortController();
    const response = senderTo(server).send({ abort: controller.signal });
    await server.arrived;
    controller.abort(reason);
    await expect(response).rejects.toBe(reason);
  });

  it('loses only the text of a response whose status decides', async () => {
    const controller = new AbortController();
    const server = closing(
      await serveHttp((_request, response) => {
        response.writeHead(200, { 'Content-Length': 99 }).write('{"a":');
        setTimeout(() => controller.abort(reason), 100);
      }),
    );
    const response = senderTo(server).send({ abort: controller.signal, bodyOptional: true });
    await expect(response).resolves.toMatchObject({ status: 200, text: '' });
  });
});

describe('closing', () => {
  it('ends a request under way as one whose response was lost', async () => {
    const server = await holdingServer();
    const sender = createSender(2000);
    const response = failureOf(sender.send({ ...REQUEST, url: server.url }));
    await server.arrived;
    await sender.close();
    expect(await response).toMatchObject({ written: true });
  });
});
