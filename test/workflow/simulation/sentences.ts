import type { Match } from '../../../src/commands/api-keys/join-keys';
import type { FailureDetails, Receipt } from '../../../src/contract/schemas';
import { findEarlierToken } from '../../../src/temporal/earlier-token';
import type { RunHistory } from '../../../src/temporal/run-history';
import { findTokenOf } from '../../../src/temporal/run-state';
import type { Key } from './atlas';
import { CALLER_RULES, type RunRule } from './callers';
import { GIVE_UP_AFTER_MS, SINKS_OF, WORKFLOW_IDS } from './config';
import { readFailure } from './resolutions';
import type { SimulatedRun } from './run';
import { findScheduleProblems } from './schedules';
import type { World } from './world';

/*
 * The sentences that hold for every simulated run.
 */

/** A run, and what its history says. */
export interface Observed {
  run: SimulatedRun;
  history: RunHistory;
  token: ReturnType<typeof findTokenOf>;
  /** The receipt, or the message and the details of the failure. */
  ending: Partial<Receipt & FailureDetails & { type: string; message: string }>;
}

/** What holds for every run; one that was terminated says nothing itself. */
const RUN_RULES: Record<string, RunRule> = {
  ...CALLER_RULES,
  'a token that the run does not have is an unconfirmed attempt': ({ run, history }, { keys }) => {
    const made = keys.filter(({ runId, deletedBy }) => runId === run.runId && !deletedBy);
    const lost = made.filter(({ tokenSha256 }) => tokenSha256 !== history.token?.tokenSha256);
    const unended = history.creatingSince === null ? 0 : 1;
    return lost.length <= history.unconfirmedAttempts.length + unended;
  },
  'the memo counts the attempts after which a token may exist': ({ run }, { watch }) => {
    const mayExist = creationsOf(run).filter(
      ({ activity, end }) => 'timeout' in end || watch.uncertain.has(`${run.runId} ${activity.id}`),
    );
    return isTerminated(run) || countOf(run) === mayExist.length;
  },
  'the history has as many unconfirmed attempts as the memo, and none in progress': ({
    run,
    history,
  }) =>
    isTerminated(run) ||
    (history.unconfirmedAttempts.length === countOf(run) && history.creatingSince === null),
  'a receipt and a failure count as many as the memo': ({ run, ending }) =>
    !['COMPLETED', 'FAILED'].includes(run.status) || ending.unconfirmedTokens === countOf(run),
  'a run that is CANCELLED left nothing': ({ run, token }, { keys }) =>
    run.status !== 'CANCELLED' ||
    (run.isCancelRequested &&
      token === null &&
      countOf(run) === 0 &&
      keys.every(({ runId, deletedBy }) => runId !== run.runId || deletedBy !== null)),
  'after a cancel, the key of a token is gone or named': ({ run, ending }, { keys }) =>
    ending.type !== 'Cancelled' ||
    !traceOf(run).includes(', token') ||
    keys.some((key) => key.deletedBy === run.runId || key.publicKey === ending.publicApiKey),
  'only a cancelled run deletes a key, and that of a token which it did not deliver': (
    { run },
    { keys },
  ) =>
    keys
      .filter(({ deletedBy }) => deletedBy === run.runId)
      .every(({ runId }) => runId === run.runId) &&
    (!traceOf(run).includes('revokeLinkToken') ||
      (run.isCancelRequested && !traceOf(run).includes('stored'))),
  'a run that completes has delivered its token': ({ run, history, ending }, { keys, stored }) => {
    const key = keys.find(({ tokenSha256 }) => tokenSha256 === history.token?.tokenSha256);
    const isStored = stored.some(
      ({ sink, linkToken, readyMs }) =>
        sink === ending.sink && linkToken === key?.linkToken && readyMs <= (run.closeMs ?? 0),
    );
    return run.status !== 'COMPLETED' || isStored;
  },
  'a token that was delivered is delivered nowhere else': ({ run }) =>
    !/stored.* deliver to/.test(traceOf(run)),
  'a token that was delivered is not abandoned': ({ run, token }) =>
    !traceOf(run).includes('stored') || token?.state === 'delivered',
  'every sink that an attempt called is named': ({ run, ending }, { sinkCalls }) => {
    const { sink, alsoTried = [], sinksTried = [] } = ending;
    const named = [sink, ...alsoTried, ...sinksTried];
    const called = sinkCalls.filter(({ runId }) => runId === run.runId);
    // A copy of a token is worthless once its key is gone.
    const isWorthless = isTerminated(run) || traceOf(run).includes('revoked');
    return isWorthless || called.every((call) => named.includes(call.sink));
  },
  'after a cancel nothing is created': ({ run }) => !/cancel.*createLinkToken/.test(traceOf(run)),
  'no outage of Temporal below a minute costs the report of a creation': ({ run }, { workers }) =>
    !workers.dropped.some(
      (activity) => activity.run === run && activity.type === 'createLinkToken',
    ),
  'a token that arrives in a cancelled run is revoked': ({ run }) =>
    isTerminated(run) || !/cancel, token(?!, revoke)/.test(traceOf(run)),
  'after a cancel nothing is delivered anew': ({ run }) => !/cancel.* deliver/.test(traceOf(run)),
  'after a redelivery was accepted, the next delivery is to its sink': ({ run }) =>
    !/redeliver to (\w+)(, cancel)?, deliver to (?!\1)/.test(traceOf(run)),
  'nothing is created after the deadline, and no run waits for that': ({ run }) => {
    const [firstMs = 0] = run.creations;
    const lastMs = run.creations.at(-1) ?? 0;
    const hasToken = traceOf(run).includes(', token');
    const pauses = pausesOf(run).filter(({ startedMs }) => !hasToken || startedMs <= lastMs);
    const deadlineMs = firstMs + GIVE_UP_AFTER_MS;
    return lastMs < deadlineMs && pauses.every(({ endMs }) => endMs < deadlineMs);
  },
  'no attempt to create is retried if the next one would be due after the deadline': ({ run }) => {
    const deadlineMs = (run.creations[0] ?? 0) + GIVE_UP_AFTER_MS;
    return run.retries.every(
      ({ type, dueMs, delayMs }) => type !== 'createLinkToken' || dueMs + delayMs < deadlineMs,
    );
  },
  'nothing that people do brings a round forward': ({ run }) =>
    run.timers.every(({ endMs }, index) => endMs >= (run.timers[index - 1]?.endMs ?? 0)),
  'the memo of a run that completed shows no undelivered token': ({ run }) =>
    run.status !== 'COMPLETED' || (run.memo['step'] ?? null) === null,
};

const isTerminated = ({ status }: SimulatedRun) => status === 'TERMINATED';
const creationsOf = ({ seenEnds }: SimulatedRun) =>
  seenEnds.filter(({ activity }) => activity.type === 'createLinkToken');
/** Before the first creation, a timer is a wait for Temporal. */
const pausesOf = ({ timers, creations }: SimulatedRun) =>
  timers.filter(({ startedMs }) => startedMs >= (creations[0] ?? Infinity));
const countOf = ({ memo }: SimulatedRun) => Number(memo['unconfirmedTokens'] ?? 0);
const traceOf = ({ trace }: SimulatedRun) => `, ${trace.join(', ')}`;

/** What holds for every key, whenever somebody looks at it. The run is the one that has its token. */
const KEY_RULES: Record<
  string,
  (key: Key, match: Match, run: SimulatedRun | undefined) => boolean
> = {
  'a key whose token a run has is named by that run, unless its request is in progress': (
    _key,
    { state, token, attempts },
    run,
  ) =>
    run === undefined ||
    token?.runId === run.runId ||
    (state === 'unknown' &&
      attempts.some(({ runId, endedAt }) => runId === run.runId && endedAt === null)),
  'a key whose token no run has is named by no run': (_key, { state, token }, run) =>
    run !== undefined || (token === null && ['orphan', 'unknown'].includes(state)),
  'a key that an attempt left is near that attempt, if made within a minute of its end': (
    key,
    { attempts },
    run,
  ) => run !== undefined || !isLeft(key) || attempts.some((attempt) => attempt.runId === key.runId),
};

/** Tells whether an attempt made a key, at most a minute after its end. */
const isLeft = ({ runId, madeMs, attemptOverMs }: Key) =>
  runId !== null && madeMs <= attemptOverMs + 60_000;
const HOURS_LATER_MS = 2 * 3_600_000;

async function observe(run: SimulatedRun, world: World): Promise<Observed> {
  const history = await world.readHistory(run);
  const token = findTokenOf({ status: { name: run.status } }, history);
  if (run.status !== 'FAILED') return { run, history, token, ending: run.ending };
  const { details, ...failure } = readFailure(run.ending);
  return { run, history, token, ending: { ...failure, ...details } };
}

/** What holds for the sinks. */
const SINK_RULES: Record<string, (world: World) => boolean> = {
  'a sink gets tokens of its organizations only': ({ stored, keys, prepareRuns }) =>
    stored.every(({ sink, linkToken, orgId }) => {
      const key = keys.find((one) => one.linkToken === linkToken);
      const run = prepareRuns().find(({ runId }) => runId === key?.runId);
      const isPermitted = SINKS_OF[key?.orgId ?? '']?.includes(sink);
      return isPermitted === true && run?.workflowId.split('/').includes(orgId) === true;
    }),
};

/** @returns the sentences that do not hold. */
export async function findProblems(world: World): Promise<string[]> {
  const { temporal, keys, watch, looks } = world;
  const lastLook = await world.look(HOURS_LATER_MS);
  const observed = await Promise.all(world.prepareRuns().map((run) => observe(run, world)));
  const problems = [
    ...temporal.errors.map(String),
    ...watch.problems,
    ...findScheduleProblems(world),
  ];
  for (const [sentence, holds] of Object.entries(RUN_RULES)) {
    for (const one of observed) {
      const verdict = holds(one, world);
      const what = typeof verdict === 'string' ? ` (${verdict})` : '';
      if (verdict !== true) problems.push(`${sentence}: run ${one.run.runId.slice(0, 4)}${what}`);
    }
  }
  for (const [sentence, holds] of Object.entries(SINK_RULES)) {
    if (!holds(world)) problems.push(sentence);
  }

  for (const run of watch.senders) {
    const [{ again }] = run.args as [{ again?: true | string }];
    const permitted = temporal.runs.find(({ runId }) => runId === again);
    const earlier = run.listedBefore.filter(({ workflowId }) => workflowId === run.workflowId);
    const permittedMs = again === true ? Infinity : (permitted?.startMs ?? -1);
    const isForbidden = (one: SimulatedRun) =>
      one.status === 'COMPLETED' && one.startMs > permittedMs;
    if (earlier.some(isForbidden)) {
      problems.push(
        'no run creates a token after a delivered one that the list has, unless "again" permits it',
      );
    }
  }
  for (const workflowId of WORKFLOW_IDS) {
    const ofId = observed.filter(({ run }) => run.workflowId === workflowId);
    const newest = ofId.findLast(({ run }) => run.status === 'COMPLETED');
    const found = await findEarlierToken(temporal.client, workflowId);
    if (found?.runId !== newest?.run.runId) {
      problems.push('a later start finds the newest delivered token');
    }
  }

  const runs = new Map(observed.map(({ history, run }) => [history.token?.tokenSha256, run]));
  const kept = keys.filter(({ deletedBy }) => deletedBy === null);
  const orphans = kept.filter((key) => isLeft(key) && !runs.has(key.tokenSha256));
  if (orphans.some(({ id }) => lastLook.get(id)?.state !== 'orphan')) {
    problems.push('hours later, a key that an attempt left is an orphan, if made within a minute');
  }
  for (const [sentence, holds] of Object.entries(KEY_RULES)) {
    for (const look of looks) {
      const seen = kept.flatMap((key) => ({ key, match: look.get(key.id) }));
      const broken = seen.filter(
        ({ key, match }) => match && !holds(key, match, runs.get(key.tokenSha256)),
      );
      problems.push(...broken.map(({ key }) => `${sentence}: key ${keys.indexOf(key) + 1}`));
    }
  }
  return problems;
}
