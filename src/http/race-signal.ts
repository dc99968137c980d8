import { once } from 'node:events';

/**
 * Waits for work until it settles or the signal is aborted. Aborting does not stop the work.
 *
 * @throws the error of the work, or the reason of the signal.
 */
export async function raceSignal<T>(work: () => Promise<T>, signal: AbortSignal): Promise<T> {
  signal.throwIfAborted();
  const settled = new AbortController();
  const aborted = once(signal, 'abort', { signal: settled.signal }).then((): never => {
    throw signal.reason;
  });
  try {
    return await Promise.race([work(), aborted]);
  } finally {
    settled.abort();
  }
}
