/**
 * Shares a call with all who make the same one while it is under way, or within a time after its
 * success. A failure is not kept: who has fixed the cause sees the next answer.
 */
export function shareCalls<A extends readonly string[], T>(
  call: (...args: A) => Promise<T>,
  keepMs: number,
): (...args: A) => Promise<T> {
  const calls = new Map<string, Promise<T>>();
  return (...args) => {
    const key = args.join(' ');
    const known = calls.get(key);
    if (known) return known;
    const result = call(...args);
    calls.set(key, result);
    const forget = () => calls.delete(key);
    result.then(() => setTimeout(forget, keepMs).unref(), forget);
    return result;
  };
}
