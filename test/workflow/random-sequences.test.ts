import { setTimeout as sleep } from 'node:timers/promises';
import { Context } from '@temporalio/activity';
import fc from 'fast-check';
import pMap from 'p-map';
import { UPDATES } from '../../src/contract/names';
import type { Handle } from '../support/installation';
import { endingOf, type Ending } from '../support/runs';
import {
  created,
  deliveryAt,
  invalidResponse,
  lost,
  noSuchSink,
  notCreated,
  notSealed,
  rejected,
  sinkRejects,
  sinkUnavailable,
  stored,
  unconfirmed,
  unreadable,
  withHeartbeats,
  type Creation,
  type Delivery,
} from './attempts';
import { startScriptedWorker, type ScriptedWorker } from './scripted-worker';

/** `npm run check` sets CHECK_MORE. */
const SEQUENCES = process.env['CHECK_MORE'] ? 1000 : 200;
const SEED = Number(process.env['SEED'] ?? Date.now() % 2 ** 31);
/** They mostly wait. */
const AT_ONCE = 200;
/** A run that has not ended by then hangs. */
const END_TIMEOUT_MS = 100_000;

const CREATIONS = {
  token: created,
  notCreated: notCreated(),
  unconfirmed: unconfirmed(),
  lost,
  rejected,
  invalidResponse,
  notSealed,
};
/** Outcomes after which a token may exist that the run did not receive. */
const UNCERTAIN: readonly string[] = ['unconfirmed', 'lost', 'invalidResponse', 'notSealed'];

const DELIVERIES = {
  stored,
  rejected: sinkRejects,
  away: sinkUnavailable(),
  lost,
  unreadable,
  noSuchSink,
  slow: deliveryAt({ pass: () => sleep(200) }, sinkRejects),
};
const SINK_NOT_CALLED: readonly string[] = ['unreadable', 'noSuchSink'];

const PLANS = {
  create: { heartbeatTimeoutMs: 1000 },
  deliver: { heartbeatTimeoutMs: 1000, roundMs: 10, firstPauseMs: 20, maximumPauseMs: 20 },
};

/** Event during one call of an activity, or a moment after it: a cancel, or a redelivery to a sink. */
const disturbance = fc.record({
  call: fc.integer({ min: 1, max: 6 }),
  what: fc.constantFrom('cancel', 'cancel', 'files', 'other', 'third'),
  afterMs: fc.option(fc.nat(40)),
});

const sequence = fc.record({
  create: fc.array(
    fc.oneof(
      { weight: 6, arbitrary: fc.constantFrom('notCreated', 'unconfirmed', 'lost', 'token') },
      { weight: 1, arbitrary: fc.constantFrom(...(Object.keys(CREATIONS) as (keyof typeof CREATIONS)[])) },
    ),
    { maxLength: 3 },
  ),
  deliver: fc.array(fc.constantFrom(...(Object.keys(DELIVERIES) as (keyof typeof DELIVERIES)[])), {
    maxLength: 4,
  }),
  disturbances: fc.array(disturbance, { maxLength: 3 }),
});
type Sequence = typeof sequence extends fc.Arbitrary<infer T> ? T : never;

let worker: ScriptedWorker;
beforeAll(async () => {
  console.info(`random sequences: SEED=${SEED}`);
  worker = await startScriptedWorker();
});

/** Runs a sequence and says what really happened beside what the run says. */
async function run({ create, deliver, disturbances }: Sequence) {
  /** The activities after which a token may exist that the run did not receive. */
  const uncertain = new Set<string>();
  const called = new Set<string>();
  const updates: Promise<unknown>[] = [];
  let calls = 0;

  const request = worker.deployment.newRequest();
  const handle = worker.deployment.handleOf(request);
  const disturb = async (what: string) => {
    if (what === 'cancel') return handle.cancel().catch(() => undefined);
    const input = { args: [{ sink: what }] as [unknown], waitForStage: 'ACCEPTED' as const };
    const update = handle.startUpdate(UPDATES.redeliver, input);
    updates.push(update.then((accepted) => accepted.result()).catch(() => undefined));
    // The run may refuse it, or end.
    await Promise.race([update.catch(() => undefined), sleep(2000)]);
  };
  const disturbed = async () => {
    calls += 1;
    const now = disturbances.filter(({ call }) => call === calls);
    for (const { what, afterMs } of now) {
      if (afterMs === null) await withHeartbeats(disturb(what));
      else updates.push(sleep(afterMs).then(() => disturb(what)));
    }
  };

  const creations = create.map((outcome): Creation => async (input, plan) => {
    if (UNCERTAIN.includes(outcome)) uncertain.add(Context.current().info.activityId);
    await disturbed();
    return CREATIONS[outcome](input, plan);
  });
  const deliveries = deliver.map((outcome): Delivery => async (input, sink, plan) => {
    if (!SINK_NOT_CALLED.includes(outcome)) called.add(sink);
    await disturbed();
    return DELIVERIES[outcome](input, sink, plan);
  });
  worker.setScript(request, { create: creations, deliver: deliveries, plans: PLANS });
  await worker.deployment.start(request);
  const ending = await Promise.race([endingOf(handle), sleep(END_TIMEOUT_MS, null, { ref: false })]);
  if (ending === null) throw new Error('the run did not end');
  await Promise.all(updates);
  const { lostCreations, afterCancel } = await readHistory(handle);
  // On a busy machine Temporal takes other attempts for lost, too.
  for (const activityId of lostCreations) uncertain.add(activityId);
  return { uncertain, called, ending, afterCancel };
}

/** Reads which activities that create were lost, and the types of those that were scheduled after a cancel. */
async function readHistory(handle: Handle) {
  const events = (await handle.fetchHistory()).events ?? [];
  const scheduledBy = (id: unknown) =>
    events.find(({ eventId }) => String(eventId) === String(id))?.activityTaskScheduledEventAttributes;
  const lostCreations = events.flatMap(({ activityTaskTimedOutEventAttributes: timedOut }) => {
    const scheduled = timedOut && scheduledBy(timedOut.scheduledEventId);
    return scheduled?.activityType?.name === 'createLinkToken' ? [String(scheduled.activityId)] : [];
  });
  const cancel = events.findIndex((event) => event.workflowExecutionCancelRequestedEventAttributes);
  const afterCancel = (cancel < 0 ? [] : events.slice(cancel)).flatMap(
    (event) => event.activityTaskScheduledEventAttributes?.activityType?.name ?? [],
  );
  return { lostCreations, afterCancel };
}

function namedSinks({ receipt, details }: Ending): string[] {
  return receipt ? [receipt.sink, ...receipt.alsoTried] : (details?.sinksTried ?? []);
}

it(`${SEQUENCES} random sequences: each token is counted, each sink is named, and a cancel ends the run`, async () => {
  const problems: unknown[] = [];
  await pMap(
    fc.sample(sequence, { numRuns: SEQUENCES, seed: SEED }),
    async (given) => {
      try {
        const { uncertain, called, ending, afterCancel } = await run(given);
        expect(ending.unconfirmedTokens).toBe(uncertain.size);
        expect(namedSinks(ending)).toEqual(expect.arrayContaining([...called]));
        // A token that arrives after the cancel gets one attempt.
        expect([[], ['deliverLinkToken']]).toContainEqual(afterCancel);
      } catch (error) {
        problems.push({ sequence: JSON.stringify(given), error });
      }
    },
    { concurrency: AT_ONCE },
  );
  expect({ SEED, problems }).toEqual({ SEED, problems: [] });
});
