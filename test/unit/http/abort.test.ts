import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { createSender, type Sender } from '../../../src/http/send';
import { serveHttp } from '../../support/servers';

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

it('ends requests that get no response in time, whatever the garbage collector removes meanwhile', async () => {
  const server = await serveHttp((request, response) => {
    if (request.url === '/') response.end('{}');
  });
  const senders = [createSender(60_000), createSender(500)] as const;
  const get = (sender: Sender, path: string) =>
    sender.send(
      { method: 'GET', url: `${server.url}${path}`, headers: {} },
      { abort: new AbortController().signal },
    );
  // Only optimized code loses a timeout.
  for (let round = 0; round < 20; round += 1)
    await Promise.all(Array.from({ length: 50 }, () => get(senders[0], '/')));
  const hung = [1, 2, 3].map(() => get(senders[1], '/hang').catch((error: unknown) => error));
  const collecting = setInterval(collectGarbage, 20);
  try {
    for (const error of await Promise.all(hung)) expect(error).toMatchObject({ code: 'TIMEOUT' });
  } finally {
    clearInterval(collecting);
    await Promise.all(senders.map((sender) => sender.close()));
    await server.close();
  }
});
