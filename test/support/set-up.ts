/**
 * Starts what the tests of a file share, before the first of them. Returns a function that returns
 * it.
 */
export function setUp<T>(start: () => Promise<T>): () => T {
  let shared: T | undefined;
  beforeAll(async () => {
    shared = await start();
  });
  return () => {
    if (shared === undefined) {
      throw new Error('what tests share is there once the first of them runs');
    }
    return shared;
  };
}
