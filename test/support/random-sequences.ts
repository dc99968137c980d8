import fc from 'fast-check';

/** A failure names its seed. The variable repeats the sequences of that run. */
export const SEED = Number(process.env['SEED'] ?? Date.now() % 2 ** 31);

/** A pause between rounds. */
export const PAUSE_MS = 20;

/** Outcomes of attempts to create: true if a token may exist that the run did not receive. */
export const CREATIONS = {
  token: false,
  notCreated: false,
  unconfirmed: true,
  lost: true,
  rejected: false,
  invalidResponse: true,
  notSealed: true,
};
type Creation = keyof typeof CREATIONS;

/**
 * Outcomes of attempts to deliver: true if the attempt calls its sink. A cancel or a redelivery
 * stops a slow one.
 */
export const DELIVERIES = {
  stored: true,
  rejected: true,
  away: true,
  lost: true,
  slow: true,
  unreadable: false,
  noSuchSink: false,
};

/**
 * Activities and cancels that no run may have in this order: a token that arrives after the cancel
 * gets one attempt.
 */
export const IGNORED_CANCEL = /cancel.*create|cancel.*deliver.*deliver|deliver.*cancel.*deliver/;

/** Creates outcomes of attempts, and cancels and redeliveries to a sink during or after them. */
export function sequences(maxAttempts: number) {
  const anyCreation = fc.constantFrom(...(Object.keys(CREATIONS) as Creation[]));
  const nextTry = fc.constantFrom<Creation>('token', 'notCreated', 'unconfirmed', 'lost');
  const creation = fc.oneof(
    { weight: 6, arbitrary: nextTry },
    { weight: 1, arbitrary: anyCreation },
  );
  const delivery = fc.constantFrom(...(Object.keys(DELIVERIES) as (keyof typeof DELIVERIES)[]));
  const disturbance = fc.record({
    attempt: fc.integer({ min: 1, max: 2 * maxAttempts }),
    what: fc.constantFrom('cancel', 'cancel', 'files', 'other', 'third'),
    /** Null during the attempt. */
    afterMs: fc.option(fc.nat(2 * PAUSE_MS)),
  });
  return fc.record({
    create: fc.array(creation, { maxLength: maxAttempts }),
    deliver: fc.array(delivery, { maxLength: maxAttempts }),
    disturbances: fc.array(disturbance, { maxLength: maxAttempts }),
  });
}

export type Sequence = ReturnType<typeof sequences> extends fc.Arbitrary<infer T> ? T : never;
