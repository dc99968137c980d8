import { createSender } from '../../../src/http/send';
import { sleep } from './clock';
import type * as Network from './network';
import { FAULTS, SERVED, surroundings, type Process } from './network';
import { Tape } from './tape';

/*
 * What the simulated network assumes of undici: test/unit/http/send.test.ts has the same tests on
 * real sockets.
 */

jest.mock('undici', () => ({
  ...jest.requireActual<object>('undici'),
  EnvHttpProxyAgent: jest.requireActual<typeof Network>('./network').SimulatedAgent,
}));

const FATES = [SERVED, ...FAULTS];
const REQUEST = { method: 'POST', url: 'http://atlas.test/', headers: {}, body: 'x' } as const;

/** Creates a sender whose request has a fate. */
function sendTo(fate: string) {
  const received: string[] = [];
  const process = { name: 'w', clock: { errorMs: 0 }, awake: () => Promise.resolve() };
  surroundings.process = process as Process;
  surroundings.network = {
    tape: new Tape([FATES.findIndex(({ name }) => name === fate)]),
    say: () => undefined,
    servers: { 'atlas.test': () => ({ status: 201, body: {} }) },
    chancesOf: () => ({ served: 1, faults: FAULTS }),
    onWritten({ path }) {
      received.push(path);
      return () => undefined;
    },
    keepBusy: () => undefined,
  };
  return { sender: createSender(10_000), received };
}

it('a request that is stopped while it connects is not written', async () => {
  const { sender, received } = sendTo('served');
  const abort = new AbortController();
  const sent = sender.send(REQUEST, { abortUntilWritten: abort.signal });
  abort.abort(new Error('stopped'));
  await expect(sent).rejects.toThrow('stopped');
  await sleep(100);
  expect(received).toEqual([]);
});

it('a request that is stopped once it is written gets its response', async () => {
  const { sender, received } = sendTo('served');
  const abort = new AbortController();
  const sent = sender.send(REQUEST, { abortUntilWritten: abort.signal });
  while (received.length === 0) await sleep(1);
  abort.abort(new Error('stopped'));
  expect(await sent).toMatchObject({ status: 201, text: '{}' });
});

it.each([
  ['refused connection', 'ECONNREFUSED', false],
  ['cut before it arrives', 'UND_ERR_SOCKET', true],
])('a request with %s: %s, isWritten %s', async (fate, code, isWritten) => {
  await expect(sendTo(fate).sender.send(REQUEST)).rejects.toMatchObject({ code, isWritten });
});
