/**
 * Creates a function that shares a call with all who make the one of the same key while it is under
 * way, or within a time after its success. A failure is not kept: who has fixed the cause sees the
 * next answer.
 */
export function createSharing<T>(
  keepMs: number,
): (key: string, call: () => Promise<T>) => Promise<T> {
  const calls = new Map<string, Promise<T>>();
  return (key, call) => {
    const known = calls.get(key);
    if (known) return known;
    const result = call();
    calls.set(key, result);
    const forget = () => calls.delete(key);
    result.then(() => setTimeout(forget, keepMs).unref(), forget);
    return result;
  };
}
