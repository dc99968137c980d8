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
    // Work that throws at once must not leave `aborted` without a handler.
    return await Promise.race([aborted, (async () => work())()]);
  } finally {
    settled.abort();
  }
}

/**
 * Runs work with a signal that is aborted after `timeoutMs`, or together with `abort` and with its
 * reason.
 *
 * It does not use AbortSignal.any or AbortSignal.timeout: Node 20 can garbage-collect both, and
 * then neither fires.
 */
export async function withTimeout<T>(
  timeoutMs: number,
  abort: AbortSignal | undefined,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  abort?.throwIfAborted();
  const ending = new AbortController();
  const stop = () => ending.abort(abort?.reason);
  const timeout = new DOMException(`no response within ${timeoutMs} ms`, 'TimeoutError');
  const timer = setTimeout(() => ending.abort(timeout), timeoutMs);
  abort?.addEventListener('abort', stop, { once: true });
  try {
    return await work(ending.signal);
  } finally {
    clearTimeout(timer);
    abort?.removeEventListener('abort', stop);
  }
}
