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

it('raceSignal leaves no unhandled rejection when the work throws synchronously', async () => {
  const unhandled = jest.fn();
  process.on('unhandledRejection', unhandled);
  const { signal } = new AbortController();
  const work = () => {
    throw new Error('synchronous');
  };
  await expect(raceSignal(work, signal)).rejects.toThrow('synchronous');
  await new Promise(setImmediate);
  process.off('unhandledRejection', unhandled);
  expect(unhandled).not.toHaveBeenCalled();
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

it('raceSignal leaves no listener once the work has settled', async () => {
  const { signal } = new AbortController();
  const race = raceSignal(() => new Promise((resolve) => setImmediate(resolve, 'done')), signal);
  await expect(race).resolves.toBe('done');
  expect(getEventListeners(signal, 'abort')).toEqual([]);
});
