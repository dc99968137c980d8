import net from 'node:net';
import type * as Sending from '../../../src/http/send';
import { listen } from '../../support/servers';
import { sleep } from './clock';
import { FAULTS, SERVED, SimulatedAgent, surroundings, type Process } from './network';
import { Tape } from './tape';

/*
 * What the simulated network assumes of undici: the same requests on it, and on a real socket.
 */

const RESPONSE = 'HTTP/1.1 201 Created\r\ncontent-length: 2\r\n\r\n{}';
const PROCESS = { name: 'w', clock: { errorMs: 0, timesSet: 0 }, awake: () => Promise.resolve() };
/** The fates of a request, in the order of the tape's numbers. */
const FATES = [SERVED, ...FAULTS];
const BEHAVIORS = {
  responds: SERVED.name,
  refuses: 'refused connection',
  cuts: 'cut before it arrives',
};
type Behavior = keyof typeof BEHAVIORS;

/** Creates a sender with a server behind it. */
async function onSocket(behavior: Behavior) {
  const received: string[] = [];
  const server = net.createServer((socket) => {
    socket.on('data', (data) => {
      received.push(data.toString());
      if (behavior === 'cuts') socket.destroy();
      else setTimeout(() => socket.end(RESPONSE), 50);
    });
  });
  const listening = await listen(server, 'http');
  const { url } = listening;
  if (behavior === 'refuses') await listening.close();
  const { createSender } = jest.requireActual<typeof Sending>('../../../src/http/send');
  return { sender: createSender(10_000), url, received };
}

function onSimulation(behavior: Behavior) {
  const received: string[] = [];
  surroundings.process = PROCESS as Process;
  surroundings.network = {
    tape: new Tape([FATES.findIndex(({ name }) => name === BEHAVIORS[behavior])]),
    say: () => undefined,
    servers: { 'atlas.test': () => ({ status: 201, body: {} }) },
    chancesOf: () => ({ served: 1, faults: FAULTS }),
    onWritten({ path }) {
      received.push(path);
      return () => undefined;
    },
    keepBusy: () => undefined,
  };
  let sender: ReturnType<typeof Sending.createSender> | undefined;
  jest.isolateModules(() => {
    const actual = jest.requireActual<object>('undici');
    jest.doMock('undici', () => ({ ...actual, EnvHttpProxyAgent: SimulatedAgent }));
    sender = jest.requireActual<typeof Sending>('../../../src/http/send').createSender(10_000);
    jest.doMock('undici', () => actual);
  });
  return Promise.resolve({
    sender: sender as NonNullable<typeof sender>,
    received,
    url: 'http://atlas.test',
  });
}

describe.each([
  ['a real socket', onSocket],
  ['the simulated network', onSimulation],
])('on %s', (_what, create) => {
  it('a request that is stopped while it connects is not written', async () => {
    const { sender, url, received } = await create('responds');
    const abort = new AbortController();
    const request = { method: 'POST', url: `${url}/`, headers: {}, body: 'x' } as const;
    const sent = sender.send(request, { abortUntilWritten: abort.signal });
    abort.abort(new Error('stopped'));
    await expect(sent).rejects.toThrow('stopped');
    await sleep(100);
    expect(received).toEqual([]);
  });

  it('a request that is stopped once it is written gets its response', async () => {
    const { sender, url, received } = await create('responds');
    const abort = new AbortController();
    const request = { method: 'POST', url: `${url}/`, headers: {}, body: 'x' } as const;
    const sent = sender.send(request, { abortUntilWritten: abort.signal });
    while (received.length === 0) await sleep(1);
    abort.abort(new Error('stopped'));
    expect(await sent).toMatchObject({ status: 201, text: '{}' });
  });

  it.each([
    ['refuses', 'ECONNREFUSED', false],
    ['cuts', 'UND_ERR_SOCKET', true],
  ] as const)('a server that %s: %s, isWritten %s', async (behavior, code, isWritten) => {
    const { sender, url } = await create(behavior);
    const sent = sender.send({ method: 'POST', url: `${url}/`, headers: {}, body: 'x' });
    await expect(sent).rejects.toMatchObject({ code, isWritten });
  });
});
