import { setTimeout as sleep } from 'node:timers/promises';
import { Context } from '@temporalio/activity';
import fc from 'fast-check';
import pMap from 'p-map';
import { redeliverUpdate } from '../../src/contract/workflows';
import {
  CREATIONS,
  DELIVERIES,
  IGNORED_CANCEL,
  PAUSE_MS,
  SEED,
  sequences,
  type Sequence,
} from '../support/random-sequences';
import { endingOf } from '../support/runs';
import { setUp } from '../support/set-up';
import * as attempts from './attempts';
import { startScriptedWorker } from './scripted-worker';

/**
 * Runs on a real server, with a real worker. They reach what the simulation replaces by rules:
 * Temporal's retries and timeouts of activities, events that it buffers during a workflow task, and
 * the replay of what came of it. The order of what happens at once is left to chance.
 */

/** `npm run check` sets CHECK_MORE. */
const SEQUENCES = process.env['CHECK_MORE'] ? 1000 : 30;
/** They mostly wait. Many more would keep the server from everything else. */
const AT_ONCE = 50;
/** A run that has not ended by then hangs, on the busiest machine. */
const END_TIMEOUT_MS = 600_000;

const creations: Record<keyof typeof CREATIONS, attempts.Creation> = {
  token: attempts.created,
  notCreated: attempts.notCreated(),
  unconfirmed: attempts.unconfirmed(),
  lost: attempts.lost,
  rejected: attempts.rejected,
  invalidResponse: attempts.invalidResponse,
  notSealed: attempts.notSealed,
};
const deliveries: Record<keyof typeof DELIVERIES, attempts.Delivery> = {
  stored: attempts.stored,
  rejected: attempts.sinkRejects,
  away: attempts.sinkUnavailable(),
  lost: attempts.lost,
  slow: attempts.deliveryAfter(() => sleep(200), attempts.sinkRejects),
  unreadable: attempts.unreadable,
  noSuchSink: attempts.noSuchSink,
};
/**
 * On a busy machine an attempt may never reach the worker. After these timeouts its run goes on.
 */
const TIMEOUTS = { attemptTimeoutMs: 600_000, heartbeatTimeoutMs: 60_000 };
const RETRIES = {
  maximumIntervalMs: PAUSE_MS,
  create: TIMEOUTS,
  deliver: TIMEOUTS,
  roundMs: 10,
  maximumPauseMs: PAUSE_MS,
};

const worker = setUp(startScriptedWorker);

/** Runs a sequence, and compares what the run says with what happened. */
async function checkRun({ create, deliver, disturbances }: Sequence): Promise<void> {
  /** The activities after which a token may exist that the run did not receive. */
  const uncertain = new Set<string>();
  const called = new Set<string>();
  const updates: Promise<unknown>[] = [];
  let calls = 0;

  const request = worker().installation.newRequest();
  const handle = worker().installation.handleOf(request);
  const disturb = async (what: string) => {
    if (what === 'cancel') return handle.cancel().catch(() => undefined);
    const input = { args: [{ sink: what }] as [unknown], waitForStage: 'ACCEPTED' as const };
    const update = handle.startUpdate(redeliverUpdate.name, input);
    updates.push(update.then((accepted) => accepted.result()).catch(() => undefined));
    // The run may refuse it, or end.
    await Promise.race([update.catch(() => undefined), sleep(2000)]);
  };
  const disturbed = async () => {
    calls += 1;
    for (const { what, afterMs } of disturbances.filter(({ attempt }) => attempt === calls)) {
      if (afterMs === null) await attempts.withHeartbeats(disturb(what));
      else updates.push(sleep(afterMs).then(() => disturb(what)));
    }
  };
  worker().setScript(request, {
    create: create.map((outcome) => async (input, backoff) => {
      if (CREATIONS[outcome]) uncertain.add(Context.current().info.activityId);
      await disturbed();
      return creations[outcome](input, backoff);
    }),
    deliver: deliver.map((outcome) => async (input, sink, backoff) => {
      if (DELIVERIES[outcome]) called.add(sink);
      await disturbed();
      return deliveries[outcome](input, sink, backoff);
    }),
    retries: RETRIES,
  });

  await worker().installation.start(request);
  const ending = await Promise.race([
    endingOf(handle),
    sleep(END_TIMEOUT_MS, null, { ref: false }),
  ]);
  if (ending === null) {
    const { raw } = await handle.describe();
    throw new Error(
      `the run did not end; activities under way: ${JSON.stringify(raw.pendingActivities)}`,
    );
  }
  await Promise.all(updates);

  // On a busy machine Temporal takes other attempts for lost, too.
  expect(ending.unconfirmedTokens).toBeGreaterThanOrEqual(uncertain.size);
  const { receipt, details } = ending;
  const sinks = receipt ? [receipt.sink, ...receipt.alsoTried] : details?.sinksTried;
  expect(sinks ?? []).toEqual(expect.arrayContaining([...called]));
  const events = (await handle.fetchHistory()).events ?? [];
  const trace = events.flatMap((event) =>
    event.workflowExecutionCancelRequestedEventAttributes
      ? 'cancel'
      : (event.activityTaskScheduledEventAttributes?.activityType?.name ?? []),
  );
  expect(trace.join(' ')).not.toMatch(IGNORED_CANCEL);
}

it(`${SEQUENCES} random sequences: tokens are counted, sinks are named, a cancel ends the run`, async () => {
  const problems: unknown[] = [];
  const check = (sequence: Sequence) =>
    checkRun(sequence).catch((error: unknown) =>
      problems.push({ sequence: JSON.stringify(sequence), error }),
    );
  await pMap(fc.sample(sequences(3), { numRuns: SEQUENCES, seed: SEED }), check, {
    concurrency: AT_ONCE,
  });
  expect({ SEED, problems }).toEqual({ SEED, problems: [] });
});
