import { startHealth } from '../../../src/worker/health';
import { closingAfterEach } from '../../support/closing';

const closing = closingAfterEach();
const ANY_PORT = { host: '127.0.0.1', port: 0 };

async function start(notReady: () => Promise<string | null>, options = ANY_PORT) {
  return closing(await startHealth(options, notReady));
}

async function get(url: string): Promise<[number, string]> {
  const response = await fetch(url);
  return [response.status, await response.text()];
}

describe('health', () => {
  it('says ok while the worker can take work', async () => {
    const { url } = await start(() => Promise.resolve(null));
    expect(await get(`${url}/livez`)).toEqual([200, 'ok\n']);
    expect(await get(`${url}/readyz`)).toEqual([200, 'ok\n']);
  });

  it('says why no work can be taken, and that the process lives all the same', async () => {
    const { url } = await start(() => Promise.resolve('the worker is DRAINING'));
    expect(await get(`${url}/readyz`)).toEqual([503, 'the worker is DRAINING\n']);
    expect(await get(`${url}/livez`)).toEqual([200, 'ok\n']);
  });

  it('is not ready, and stays alive, when it cannot tell', async () => {
    const { url } = await start(() => Promise.reject(new TypeError('CANARY')));
    expect(await get(`${url}/readyz`)).toEqual([503, 'cannot tell (TypeError)\n']);
    expect(await get(`${url}/livez`)).toEqual([200, 'ok\n']);
  });

  it.each(['/', '/health', '/livez/x', '/constructor', '/__proto__'])('does not know %s', async (path) => {
    const { url } = await start(() => Promise.resolve(null));
    expect(await get(url + path)).toEqual([404, '']);
  });

  it('names the port that is taken, and the setting', async () => {
    const { url } = await start(() => Promise.resolve(null));
    const port = Number(new URL(url).port);
    await expect(startHealth({ host: '127.0.0.1', port }, () => Promise.resolve(null))).rejects.toThrow(
      `cannot listen on 127.0.0.1:${port} (EADDRINUSE): set health.port to a free port`,
    );
  });

  it('gives its port back when it closes', async () => {
    const health = await startHealth(ANY_PORT, () => Promise.resolve(null));
    await get(`${health.url}/livez`);
    await health.close();
    await start(() => Promise.resolve(null), { ...ANY_PORT, port: Number(new URL(health.url).port) });
  });
});
