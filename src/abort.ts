/**
 * Waits for work until it settles or the signal is aborted. Aborting does not stop the work.
 *
 * @throws the error of the work, or the reason of the signal.
 */
export async function raceSignal<T>(work: () => Promise<T>, signal: AbortSignal): Promise<T> {
  signal.throwIfAborted();
  return new Promise((resolve, reject) => {
    const stop = () => reject(signal.reason as Error);
    signal.addEventListener('abort', stop, { once: true });
    // Work that throws at once must not leave its listener.
    void (async () => work())()
      .finally(() => signal.removeEventListener('abort', stop))
      .then(resolve, reject);
  });
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
  const timer = setTimeout(() => {
    ending.abort(new DOMException(`no response within ${timeoutMs} ms`, 'TimeoutError'));
  }, timeoutMs);
  abort?.addEventListener('abort', stop, { once: true });
  try {
    return await work(ending.signal);
  } finally {
    clearTimeout(timer);
    abort?.removeEventListener('abort', stop);
  }
}
