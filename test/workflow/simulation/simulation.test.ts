import { defaultFailureConverter } from '@temporalio/common';
import fc from 'fast-check';
import { createActivities } from '../../../src/activities';
import { madeAtMs } from '../../../src/commands/api-keys/match-keys';
import type { FailureDetails, Receipt } from '../../../src/contract/schemas';
import { payloadConverter } from '../../../src/shared/payload-converter';
import { findEarlierToken } from '../../../src/temporal/earlier-token';
import type { RunHistory } from '../../../src/temporal/run-history';
import { findTokenOf } from '../../../src/temporal/run-state';
import { SEED } from '../../support/random-sequences';
import { runUntil } from './clock';
import type { SimulatedRun } from './run';
import { loadWorkflows } from './sdk';
import { Tape } from './tape';
import {
  GIVE_UP_AFTER_MS,
  WORKFLOW_ID,
  createWorld,
  type Key,
  type Look,
  type World,
} from './world';

/**
 * Runs of one pair of organizations, from the first start until the last run has closed: the shipped
 * bundle of the workflows in the SDK's own runtime, the real activities with real sealing, and the
 * real readers of histories, in virtual time. Temporal (temporal.ts) and the world around it
 * (world.ts) follow a tape of numbers.
 *
 * It reaches what no real server does: every order of what people, workers, Atlas and timers do,
 * with waits of minutes, and the exact truth of each token and key. It cannot find that a rule in
 * temporal.ts is wrong: test/workflow/random-sequences.test.ts and test/system run on real servers.
 *
 * A failure names its seed, and what happened in the shortest tape that fails. `RUNS=20000` makes a
 * long search.
 */
const RUNS = Number(process.env['RUNS'] ?? 200);
const START = new Date('2026-11-30T00:00:00Z');

jest.mock('node:timers/promises', () => ({
  setTimeout: (ms: number) => new Promise((resolve) => setTimeout(resolve, ms)),
}));

const startWorkflow = loadWorkflows(Object.keys(createActivities({} as never, {} as never, 0)));

beforeAll(() => {
  jest.useFakeTimers({ doNotFake: ['nextTick', 'setImmediate', 'queueMicrotask', 'hrtime'] });
  // Nobody reads the stacks of so many failures.
  Error.stackTraceLimit = 0;
});
afterAll(() => void jest.useRealTimers());

/** A run, and what its history says. */
interface Observed {
  run: SimulatedRun;
  history: RunHistory;
  token: ReturnType<typeof findTokenOf>;
  /** The receipt, or the message and the details of the failure. */
  ending: Partial<Receipt & FailureDetails & { message: string }>;
}

/** What holds for every run; one that was terminated says nothing itself. */
const RUN_RULES: Record<string, (observed: Observed, world: World) => boolean> = {
  'a token that the run does not have is an unconfirmed attempt': ({ run, history }, { keys }) => {
    const made = keys.filter(({ runId }) => runId === run.runId);
    const lost = made.filter(({ tokenSha256 }) => tokenSha256 !== history.token?.tokenSha256);
    const unended = history.creatingSince === null ? 0 : 1;
    return lost.length <= history.unconfirmedAttempts.length + unended;
  },
  'the memo counts the attempts after which a token may exist': ({ run }, { uncertain }) => {
    const mayExist = run.seenEnds.filter(
      ({ activity, end, isByHand }) =>
        isByHand || 'timeout' in end || uncertain.has(`${run.runId} ${activity.id}`),
    );
    return isTerminated(run) || countOf(run) === mayExist.length;
  },
  'the history has as many unconfirmed attempts as the memo': ({ run, history }) =>
    isTerminated(run) || history.unconfirmedAttempts.length === countOf(run),
  'a receipt and a failure count as many as the memo': ({ run, ending }) =>
    !['COMPLETED', 'FAILED'].includes(run.status) ||
    isRecovery(run) ||
    ending.unconfirmedTokens === countOf(run),
  'a run that is CANCELLED left nothing': ({ run, token }) =>
    run.status !== 'CANCELLED' || isRecovery(run) || (token === null && countOf(run) === 0),
  'a run that completes has delivered its token': ({ run, history, ending }, { keys }) =>
    run.status !== 'COMPLETED' ||
    keys.some(
      ({ tokenSha256, sinks }) =>
        tokenSha256 === history.token?.tokenSha256 && sinks.has(String(ending.sink)),
    ),
  'every sink that an attempt called is named': ({ run, ending }, { calledSinks }) => {
    const { sink, alsoTried = [], sinksTried = [] } = ending;
    const named = [sink, ...alsoTried, ...sinksTried];
    const called = [...(calledSinks.get(run.runId) ?? [])];
    return isTerminated(run) || called.every((name) => named.includes(name));
  },
  'after a cancel nothing is created': ({ run }) => !/cancel.*createLinkToken/.test(traceOf(run)),
  'an attempt that begins after the cancel or the deadline sends nothing, unless it is the first': (
    { run },
    { lateRequests },
  ) => !lateRequests.includes(run),
  'no outage of Temporal below a minute costs the report of a creation': ({ run }, { dropped }) =>
    !dropped.some((activity) => activity.run === run && activity.type === 'createLinkToken'),
  'a token that arrives in a cancelled run gets one delivery': ({ run }) =>
    isTerminated(run) ||
    !/(cancel, token|token, cancel)(?!, deliver)|cancel.* deliver.* deliver/.test(traceOf(run)),
  'a cancel ends every other delivery': ({ run }) =>
    !/ deliver.*cancel.* deliver/.test(traceOf(run)),
  'a run that was cancelled does not give up': ({ run, ending }) =>
    !run.isCancelRequested || !ending.message?.startsWith('gave up'),
  'after a redelivery was accepted, the next delivery is to its sink': ({ run }) =>
    !/redeliver to (\w+)(, cancel)?, deliver to (?!\1)/.test(traceOf(run)),
  'nothing is created after the deadline, and no run waits for that': ({ run, token }) => {
    const [firstMs = 0] = run.creations;
    const lastMs = run.creations.at(-1) ?? 0;
    const pauses = run.timers.filter(({ startedMs }) => !token || startedMs <= lastMs);
    const deadlineMs = firstMs + GIVE_UP_AFTER_MS;
    return (
      lastMs < deadlineMs && pauses.every(({ endMs }) => isRecovery(run) || endMs < deadlineMs)
    );
  },
  'no attempt to create is retried if the next one would be due after the deadline': ({ run }) => {
    const deadlineMs = (run.creations[0] ?? 0) + GIVE_UP_AFTER_MS;
    return run.retries.every(
      ({ type, dueMs, delayMs }) => type !== 'createLinkToken' || dueMs + delayMs < deadlineMs,
    );
  },
  'whoever waits for an Update gets its outcome': ({ run }) =>
    isTerminated(run) || run.waitingUpdates.size === 0,
};

const isTerminated = ({ status }: SimulatedRun) => status === 'TERMINATED';
const isRecovery = ({ args }: SimulatedRun) => args.length > 1;
const countOf = ({ memo }: SimulatedRun) => Number(memo['unconfirmedTokens'] ?? 0);
const traceOf = ({ trace }: SimulatedRun) => `, ${trace.join(', ')}`;

/** By how much a key may seem to be made before or after an attempt: clocks differ. */
const TOLERANCE_MS = 11_000;

/** An attempt takes less than this. */
const NEAR_MS = 200_000;
const isNear = (id: string, other: string) => Math.abs(madeAtMs(id) - madeAtMs(other)) < NEAR_MS;

/** What holds for every key, whenever somebody looks at it. */
const KEY_RULES: Record<string, (key: Key, look: Look, isInUse: boolean) => boolean> = {
  'a key in use is called by its token alone, unless another key is near or on its way': (
    { id },
    { states, origins },
    isInUse,
  ) =>
    !isInUse ||
    states.get(id) !== 'mixed' ||
    origins.some(({ state }) => state === 'inProgress') ||
    [...states.keys()].some((other) => other !== id && isNear(id, other)),
  'no key in use is called unconfirmed or other': ({ id }, { states }, isInUse) =>
    !isInUse || !['unconfirmed', 'other'].includes(states.get(id) ?? ''),
  'no key that an attempt left is called other': ({ id, runId }, { states }) =>
    runId === null || states.get(id) !== 'other',
  'no key made by hand is called unconfirmed, unless made during such an attempt': (
    { id, runId, madeMs },
    { states, origins },
  ) =>
    runId !== null ||
    states.get(id) !== 'unconfirmed' ||
    origins.some(
      (origin) =>
        origin.state === 'unconfirmed' &&
        madeMs > Date.parse(origin.startedAt) - TOLERANCE_MS &&
        madeMs < Date.parse(origin.endedAt) + TOLERANCE_MS,
    ),
};

async function observe(run: SimulatedRun, world: World): Promise<Observed> {
  const history = await world.readHistory(run);
  const token = findTokenOf({ status: { name: run.status } }, history);
  if (run.status !== 'FAILED') return { run, history, token, ending: run.ending };
  const failure = defaultFailureConverter.failureToError(run.ending, payloadConverter) as {
    message: string;
    details?: unknown;
  };
  const [details] = failure.details as object[];
  return { run, history, token, ending: { message: failure.message, ...details } };
}

/** @returns the sentences that do not hold. */
async function findProblems(world: World): Promise<string[]> {
  const { temporal, keys, senders, looks } = world;
  await world.look();
  const observed = await Promise.all(world.prepareRuns().map((run) => observe(run, world)));
  const problems = temporal.errors.map(String);
  for (const [sentence, holds] of Object.entries(RUN_RULES)) {
    const broken = observed.filter((one) => !holds(one, world));
    problems.push(...broken.map(({ run }) => `${sentence}: run ${run.runId.slice(0, 4)}`));
  }

  const hasToken = new Set(observed.filter(({ token }) => token).map(({ run }) => run));
  for (const run of senders) {
    const [request] = run.args as [{ again?: unknown }];
    if (request.again === undefined && run.listedBefore.some((earlier) => hasToken.has(earlier))) {
      problems.push('without "again" no run creates a token after one that the list has');
    }
  }
  const newest = observed.findLast(({ token }) => token);
  const found = await findEarlierToken(temporal.client, WORKFLOW_ID);
  if (found?.deliveryId !== newest?.token?.deliveryId) {
    problems.push('a later start finds the newest token');
  }

  const inUse = new Set(observed.map(({ history }) => history.token?.tokenSha256));
  for (const [sentence, holds] of Object.entries(KEY_RULES)) {
    for (const look of looks) {
      const seen = keys.filter(({ id }) => look.states.has(id));
      const broken = seen.filter((key) => !holds(key, look, inUse.has(key.tokenSha256)));
      problems.push(...broken.map((key) => `${sentence}: key ${keys.indexOf(key) + 1}`));
    }
  }
  return problems;
}

/** Simulates until all runs have closed. */
async function simulate(numbers: readonly number[]) {
  jest.clearAllTimers();
  jest.setSystemTime(START);
  // Each attempt that fails draws its delay.
  const random = new Tape(numbers);
  jest.spyOn(Math, 'random').mockImplementation(() => random.pick(TENTHS) / 10);
  const world = createWorld(new Tape(numbers), startWorkflow);
  const isOver = await runUntil(world.isOver);
  const problems = isOver
    ? await findProblems(world)
    : ['every run ends', ...world.temporal.errors.map(String)];
  await Promise.all(world.temporal.runs.map((run) => run.dispose()));
  return { problems, trace: world.trace };
}

const TENTHS = [...Array(10).keys()];

it(`${RUNS} simulations: no token is lost unseen, no key in use is called unused`, async () => {
  const tapes = fc.array(fc.nat(839), { minLength: 20, maxLength: 80 });
  const property = fc.asyncProperty(tapes, async (tape) => {
    const { problems, trace } = await simulate(tape);
    if (problems.length > 0) expect({ problems, trace }).toEqual({ problems: [], trace: [] });
  });
  await fc.assert(property, { numRuns: RUNS, seed: SEED });
});
