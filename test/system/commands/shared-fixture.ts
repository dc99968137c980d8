import { createCommandFixture } from '../../support/command-line';
import { setUp } from '../../support/set-up';

/**
 * A first round outlasts every test that watches it. A run whose sink rejects the token waits for
 * longer than any test.
 */
const RETRIES = { initialIntervalMs: 20, maximumIntervalMs: 600_000, roundMs: 600_000 };

/** The installation and the command line of these tests; `group.test.ts` runs them with one. */
export const fixture = setUp(() => createCommandFixture({ retries: RETRIES }));
