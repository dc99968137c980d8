/**
 * Runs work with a signal that is aborted after `timeoutMs`, or as soon as `abort` is, with its reason.
 *
 * Not AbortSignal.any over AbortSignal.timeout: Node 20 lets both be garbage-collected, and then neither fires.
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
