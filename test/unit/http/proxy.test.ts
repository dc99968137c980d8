import type { Socket } from 'node:net';
import { createSender, type SendOptions } from '../../../src/http/send';
import { closeLater } from '../../support/clean-up';
import { serveConnectProxy, serveHttp, serveSocket } from '../../support/servers';

const { env } = process;
afterEach(() => void (process.env = env));

/** Sends a request by a sender that finds these variables. */
function sendWith(variables: NodeJS.ProcessEnv, { url }: { url: string }, options?: SendOptions) {
  process.env = variables;
  const sender = closeLater(createSender(5000));
  return sender.send({ method: 'POST', url, headers: {}, body: '{}' }, options);
}

const serveTarget = () => serveHttp((_request, response) => void response.writeHead(204).end());

it('HTTP_PROXY carries a request through a tunnel, and NO_PROXY past it', async () => {
  const [proxy, target] = [await serveConnectProxy(), await serveTarget()];
  expect(await sendWith({ HTTP_PROXY: proxy.url }, target)).toMatchObject({ status: 204 });
  expect(proxy.tunnels).toEqual([target.address]);
  const past = { HTTP_PROXY: proxy.url, NO_PROXY: '127.0.0.1' };
  expect(await sendWith(past, target)).toMatchObject({ status: 204 });
  expect(proxy.tunnels).toHaveLength(1);
});

it.each<[does: string, respond: (socket: Socket) => unknown, error: object]>([
  ['refuses a tunnel', (socket) => socket.end('HTTP/1.1 407 No\r\nContent-Length: 0\r\n\r\n'), { written: false }],
  ['closes the connection', (socket) => socket.destroy(), { written: false, code: 'ECONNRESET' }],
])('a proxy that %s is asked once, and the request counts as not written', async (_does, respond, error) => {
  let asked = 0;
  const proxy = await serveSocket((socket, text) => {
    if (text === null) return;
    asked += 1;
    respond(socket);
  });
  const target = await serveTarget();
  await expect(sendWith({ HTTP_PROXY: proxy.url }, target)).rejects.toMatchObject(error);
  expect(asked).toBe(1);
});

it('a request is not written if abortUntilWritten is aborted while its connection is made', async () => {
  const [stop, reason] = [new AbortController(), new Error('stopped')];
  let written = '';
  const proxy = await serveSocket((socket, text) => {
    if (text?.startsWith('CONNECT')) {
      stop.abort(reason);
      socket.write('HTTP/1.1 200 Connection Established\r\n\r\n');
    } else if (text) {
      written += text;
      socket.end('HTTP/1.1 204 No Content\r\n\r\n');
    }
  });
  const options = { abortUntilWritten: stop.signal };
  const sent = sendWith({ HTTP_PROXY: proxy.url }, { url: 'http://atlas.test' }, options);
  await expect(sent).rejects.toBe(reason);
  expect(written).toBe('');
});
