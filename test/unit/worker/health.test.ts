import { startHealth } from '../../../src/worker/health';
import { closeLater } from '../../support/clean-up';

const ANY_PORT = { host: '127.0.0.1', port: 0 };
const ready = () => Promise.resolve(null);

const start = async (notReady: () => Promise<string | null>, options = ANY_PORT) =>
  closeLater(await startHealth(options, notReady));

async function get(url: string): Promise<[number, string]> {
  const response = await fetch(url);
  return [response.status, await response.text()];
}

describe('health', () => {
  it.each<[what: string, notReady: () => Promise<string | null>, status: number, text: string]>([
    ['says ok while the worker can take work', ready, 200, 'ok'],
    ['says why no work can be taken', () => Promise.resolve('it is DRAINING'), 503, 'it is DRAINING'],
    ['cannot tell', () => Promise.reject(new TypeError('CANARY')), 503, 'cannot tell (TypeError)'],
  ])('%s, and that the process lives all the same', async (_what, notReady, status, text) => {
    const { url } = await start(notReady);
    expect(await get(`${url}/readyz`)).toEqual([status, `${text}\n`]);
    expect(await get(`${url}/livez`)).toEqual([200, 'ok\n']);
  });

  it.each(['/', '/health', '/livez/x', '/constructor', '/__proto__'])('does not know %s', async (path) => {
    const { url } = await start(ready);
    expect(await get(url + path)).toEqual([404, '']);
  });

  it('names the port that is taken, and the setting', async () => {
    const port = Number(new URL((await start(ready)).url).port);
    await expect(startHealth({ ...ANY_PORT, port }, ready)).rejects.toThrow(
      `cannot listen on 127.0.0.1:${port} (EADDRINUSE): set health.port to a free port`,
    );
  });

  it('gives its port back when it closes', async () => {
    const health = await startHealth(ANY_PORT, ready);
    await get(`${health.url}/livez`);
    await health.close();
    await start(ready, { ...ANY_PORT, port: Number(new URL(health.url).port) });
  });
});
