import fc from 'fast-check';
import { createActivities } from '../../../src/activities';
import type * as Clock from './clock';
import { installClock, runUntil } from './clock';
import type * as Network from './network';
import { Pairs } from './pairs';
import { startPeople } from './people';
import { loadWorkflows } from './sdk';
import { findProblems } from './sentences';
import { Tape } from './tape';
import { createWorld } from './world';

/**
 * Runs of three pairs of organizations, from the first start until the last run has closed: the
 * shipped bundle of the workflows in the SDK's own runtime, and the real activities, clients,
 * circuit breaker, sinks, sealing and readers, in virtual time. Temporal (temporal.ts), the network
 * (network.ts), what is behind it (atlas.ts, sinks.ts), workers (workers.ts) and people (people.ts)
 * follow a tape of numbers. What holds is in sentences.ts and requests.ts.
 *
 * It reaches what no real server does: every order of what people, workers, Atlas and timers do,
 * with waits of minutes, and the exact truth of each token and key. It cannot find that a rule of
 * the simulation is wrong: test/system/temporal-rules.test.ts tries those.
 *
 * A failure names its SEED and RUN, with which it is repeated alone, and what happened.
 * `RUNS=20000` makes a long search.
 */

/** The variable repeats the search of a failure. */
const SEED = Number(process.env['SEED'] ?? Date.now() % 2 ** 31);
/** The index of the only run, if that is set. */
const RUN = Number(process.env['RUN'] ?? -1);
/** `npm run check` sets CHECK_MORE. */
const RUNS = Math.max(
  RUN + 1,
  Number(process.env['RUNS'] ?? (process.env['CHECK_MORE'] ? 1000 : 100)),
);
/** Counts which events meet (pairs.ts). */
const COUNT = Boolean(process.env['COUNT']);
const START = new Date('2026-11-30T00:00:00Z');

jest.mock('../../../src/http/send', () => ({
  ...jest.requireActual<object>('../../../src/http/send'),
  createSender: (timeoutMs: number) => mockNetwork().createSimulatedSender(timeoutMs),
}));
jest.mock('node:timers/promises', () => ({
  setTimeout: jest.requireActual<typeof Clock>('./clock').sleepUnlessAborted,
}));
const mockNetwork = () => jest.requireActual<typeof Network>('./network');

const startWorkflow = loadWorkflows(Object.keys(createActivities({} as never, {} as never, 0)));

beforeAll(() => {
  installClock();
  // Nobody reads the stacks of so many failures.
  Error.stackTraceLimit = 0;
});
afterAll(() => void jest.useRealTimers());

/** Simulates until all runs have closed. */
async function simulate(numbers: readonly number[]) {
  jest.clearAllTimers();
  jest.setSystemTime(START);
  // Each attempt that fails draws its delay.
  const random = new Tape(numbers);
  jest.spyOn(Math, 'random').mockImplementation(() => random.pick(TENTHS) / 10);
  const tape = new Tape(numbers);
  const world = createWorld(tape, startWorkflow);
  await startPeople(tape, world);
  const isOver = await runUntil(world.isOver);
  const problems = isOver
    ? await findProblems(world)
    : ['every run ends', ...world.temporal.errors.map(String)];
  await Promise.all(world.temporal.runs.map((run) => run.dispose()));
  return { problems, trace: world.trace };
}

const TENTHS = [...Array(10).keys()];

/** A run takes 50 ms. Only what hangs takes this long, on the busiest machine. A timer has a limit. */
const TIMEOUT_MS = Math.min(RUNS * 10_000, 2 ** 31 - 1);

it(
  `${RUNS} simulations: every sentence holds`,
  async () => {
    const tapes = fc.array(fc.nat(27719), { minLength: 60, maxLength: 400, size: 'max' });
    const pairs = new Pairs();
    const samples = fc.sample(tapes, { numRuns: RUNS, seed: SEED });
    for (const [index, tape] of samples.entries()) {
      if (RUN >= 0 && index !== RUN) continue;
      const { problems, trace } = await simulate(tape);
      if (COUNT) pairs.add(trace);
      const where = { SEED, RUN: index, trace };
      expect({ problems, ...where }).toEqual({ problems: [], ...where });
    }
    if (COUNT) expect(pairs.findMissing()).toEqual([]);
  },
  TIMEOUT_MS,
);
