import { createCommandFixture } from '../../support/command-line';
import { LONG_ROUNDS } from '../../support/installation';
import { setUp } from '../../support/set-up';

/** The installation and the command line of these tests; `group.test.ts` runs them with one. */
export const fixture = setUp(() => createCommandFixture(LONG_ROUNDS));
