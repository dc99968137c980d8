/**
 * Starts what the tests of a file share, before the first of them. Returns a function that returns
 * it.
 */
export function setUp<T>(start: () => Promise<T>): () => T {
  let started: T | undefined;
  beforeAll(async () => {
    started = await start();
  });
  return () => {
    if (started === undefined) {
      throw new Error('what tests share is there once the first of them runs');
    }
    return started;
  };
}
