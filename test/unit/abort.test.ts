import { getEventListeners } from 'node:events';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { raceSignal, withTimeout } from '../../src/abort';

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

it('withTimeout ends work that takes too long, even if garbage is collected meanwhile', async () => {
  const hang = () =>
    withTimeout(
      100,
      new AbortController().signal,
      (signal) =>
        new Promise((_resolve, reject) => {
          signal.addEventListener('abort', () => reject(signal.reason as Error));
        }),
    );
  // Only optimized code loses a timeout.
  for (let round = 0; round < 10_000; round += 1) {
    await withTimeout(60_000, new AbortController().signal, () => Promise.resolve());
  }
  const hung = [1, 2, 3].map(hang);
  await new Promise(setImmediate);
  collectGarbage();
  for (const work of hung) await expect(work).rejects.toMatchObject({ name: 'TimeoutError' });
});

describe('raceSignal leaves no unhandled rejection', () => {
  const unhandled = jest.fn();
  beforeAll(() => process.on('unhandledRejection', unhandled));
  afterAll(() => process.off('unhandledRejection', unhandled));

  it('when the work throws synchronously', async () => {
    const { signal } = new AbortController();
    const work = () => {
      throw new Error('synchronous');
    };
    await expect(raceSignal(work, signal)).rejects.toThrow('synchronous');
    await new Promise(setImmediate);
    expect(unhandled).not.toHaveBeenCalled();
  });

  it('when the work fails after the signal was aborted', async () => {
    const stop = new AbortController();
    const work = () =>
      new Promise<never>((_resolve, reject) => setImmediate(reject, new Error('late')));
    const race = raceSignal(work, stop.signal);
    stop.abort(new Error('stopped'));
    await expect(race).rejects.toThrow('stopped');
    await new Promise(setImmediate);
    await new Promise(setImmediate);
    expect(unhandled).not.toHaveBeenCalled();
  });
});

it('raceSignal starts no work once its signal is aborted', async () => {
  const work = jest.fn();
  const reason = new Error('stopped');
  await expect(raceSignal(work, AbortSignal.abort(reason))).rejects.toBe(reason);
  expect(work).not.toHaveBeenCalled();
});

it('raceSignal stops waiting when its signal is aborted', async () => {
  const stop = new AbortController();
  const reason = new Error('stopped');
  const race = raceSignal(
    () => new Promise((resolve) => setImmediate(resolve, 'done')),
    stop.signal,
  );
  stop.abort(reason);
  await expect(race).rejects.toBe(reason);
});

it.each([
  ['ends later', () => new Promise((resolve) => setImmediate(resolve))],
  ['fails later', () => new Promise((_resolve, reject) => setImmediate(reject))],
  [
    'throws synchronously',
    () => {
      throw new Error('synchronous');
    },
  ],
])('raceSignal leaves no listener after work that %s', async (_what, work) => {
  const { signal } = new AbortController();
  await Promise.allSettled([raceSignal(work, signal)]);
  expect(getEventListeners(signal, 'abort')).toEqual([]);
});
