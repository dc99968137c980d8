import { inspect } from 'node:util';

/** The error with which a promise is rejected. */
export async function rejectionOf(work: Promise<unknown>): Promise<unknown> {
  return work.then(
    () => {
      throw new Error('it did not fail');
    },
    (error: unknown) => error,
  );
}

/** The error with which a promise is rejected. It is of this class, and shows no planted secret. */
export async function rejectionWithoutCanary<E extends Error>(
  work: Promise<unknown>,
  type: abstract new (...args: never[]) => E,
): Promise<E> {
  const error = await rejectionOf(work);
  expect(error).toBeInstanceOf(type);
  expect(inspect(error, { showHidden: true, depth: 10 })).not.toContain('CANARY');
  return error as E;
}
