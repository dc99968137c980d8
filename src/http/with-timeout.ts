/**
 * Runs work with a signal that is aborted after `timeoutMs`, or together with `abort` and with its reason.
 *
 * It does not use AbortSignal.any or AbortSignal.timeout: Node 20 can garbage-collect both, and then neither fires.
 */
export async function withTimeout<T>(
  timeoutMs: number,
  abort: AbortSignal | undefined,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  abort?.throwIfAborted();
  const ending = new AbortController();
  const stop = () => ending.abort(abort?.reason);
  const timer = setTimeout(() => ending.abort(new DOMException('timed out', 'TimeoutError')), timeoutMs);
  abort?.addEventListener('abort', stop, { once: true });
  try {
    return await work(ending.signal);
  } finally {
    clearTimeout(timer);
    abort?.removeEventListener('abort', stop);
  }
}
