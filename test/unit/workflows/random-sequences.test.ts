import { isDeepStrictEqual } from 'node:util';
import type { Info } from '@temporalio/activity';
import { ActivityFailure, CancelledFailure, TimeoutFailure } from '@temporalio/common';
import fc from 'fast-check';
import { creationFailure, deliveryFailure } from '../../../src/activities/failures';
import type { FailureDetails, Receipt } from '../../../src/contract/schemas';
import type { CreateInput, DeliverInput } from '../../../src/shared/activities';
import { prepareLiveMigration } from '../../../src/workflows/prepare-live-migration';
import {
  CREATIONS,
  DELIVERIES,
  IGNORED_CANCEL,
  PAUSE_MS,
  SEED,
  sequences,
  type Sequence,
} from '../../support/random-sequences';
import { BACKOFF, aReceipt, aRequest, aToken } from '../samples';

/**
 * Runs of the workflow's code without Temporal. They reach what
 * `test/workflow/random-sequences.test.ts` cannot: ten thousand sequences of up to 16 attempts;
 * back-offs and pauses of minutes, since no time passes; a timer, a cancel and a redelivery in one
 * activation, in any order; and the exact count, since no machine loses an attempt by itself.
 */

type Handler = (input: object) => unknown;

let mockTemporal: ReturnType<typeof createTemporal>;

jest.mock('@temporalio/workflow', () => ({
  ...jest.requireActual<object>('@temporalio/workflow'),
  CancellationScope: class {
    static current() {
      return { consideredCancelled: mockTemporal.isCancelled };
    }
    static nonCancellable(work: () => unknown) {
      return work();
    }
    run = (work: () => unknown) =>
      mockTemporal.isCancelled ? mockTemporal.rejectCancelled() : work();
    cancel = () => undefined;
  },
  sleep: (ms: number) => mockTemporal.wait(ms),
  // A caller of an Update waits without a timeout.
  condition: (isMet: () => boolean, ms?: number) =>
    ms ? mockTemporal.wait(ms, isMet) : new Promise(() => undefined),
  allHandlersFinished: () => true,
  setHandler: ({ name }: { name: string }, handler: Handler, options?: { validator: Handler }) =>
    mockTemporal.handlers.set(name, async (input) => {
      options?.validator(input);
      await handler(input);
    }),
  workflowInfo: () => ({ workflowId: 'id', runId: 'id', historyLength: 0, historySize: 0 }),
  setCurrentDetails() {},
  setDefaultSignalHandler() {},
  upsertMemo() {},
  log: { info() {}, warn() {}, error() {} },
}));
jest.mock('../../../src/workflows/metrics');
jest.mock('../../../src/workflows/activity-proxies', () => ({
  validateRequest: () => Promise.resolve(VALID),
  proxyFindToken: () => () => Promise.resolve(),
  proxyCreateLinkToken: (_retries: object, remainingMs: number) =>
    mockTemporal.isCancelled
      ? mockTemporal.rejectCancelled
      : (input: CreateInput) => mockTemporal.createLinkToken(input, remainingMs),
  proxyDeliverLinkToken: () => mockTemporal.deliverLinkToken,
}));

beforeAll(() => {
  jest.spyOn(Date, 'now').mockImplementation(() => mockTemporal.nowMs);
  // Nobody reads the stacks of a hundred thousand failures.
  Error.stackTraceLimit = 0;
});
afterAll(() => void jest.restoreAllMocks());

const REQUEST = aRequest({ sink: 'files' });
const VALID = {
  request: REQUEST,
  retries: { ...BACKOFF, giveUpAfterMs: 600_000, maximumPauseMs: 600_000 },
};
const CREATION_FAILURES = {
  notCreated: 'AtlasUnavailable',
  unconfirmed: 'AtlasUnavailable',
  rejected: 'AtlasRequestRejected',
  invalidResponse: 'AtlasResponseInvalid',
  notSealed: 'TokenLost',
} as const;

/** Fails as an activity does to its workflow. */
const fail = (cause: Error) =>
  Promise.reject(
    new ActivityFailure('failed', 'activity', '1', 'NON_RETRYABLE_FAILURE', undefined, cause),
  );
const failLost = () =>
  fail(new TimeoutFailure('activity Heartbeat timeout', undefined, 'HEARTBEAT'));

/**
 * Temporal's part of a run, with activities that follow a sequence. Its clock moves only while the
 * run waits.
 */
function createTemporal({ create, deliver, disturbances }: Sequence) {
  const creations = create.values();
  const deliveries = deliver.values();
  let attempts = 0;

  function begin(attempt: 'create' | 'deliver'): void {
    attempts += 1;
    temporal.trace.push(attempt);
  }

  const disturbancesNow = (isDuring: boolean) =>
    disturbances.filter(
      ({ attempt, afterMs }) => attempt === attempts && (afterMs === null) === isDuring,
    );

  function disturb({ what }: Sequence['disturbances'][number]): void {
    if (what === 'cancel') {
      temporal.isCancelled = true;
      temporal.trace.push('cancel');
    } else {
      // The run may refuse it.
      temporal.handlers
        .get('redeliver')?.({ sink: what })
        .catch(() => undefined);
    }
  }

  const temporal = {
    nowMs: 0,
    isCancelled: false,
    handlers: new Map<string, (input: object) => Promise<void>>(),
    uncertainTokens: 0,
    calledSinks: new Set<string>(),
    /** Attempts that began, and cancels. */
    trace: [] as string[],

    rejectCancelled: () => Promise.reject(new CancelledFailure('cancelled')),

    /**
     * Waits. All that comes meanwhile, including the timer, is one activation; what comes first ends
     * the wait.
     */
    wait(ms: number, isMet = () => false): Promise<void> {
      temporal.nowMs += ms;
      let end: 'timer' | 'met' | 'cancelled' | undefined;
      for (const disturbance of disturbancesNow(false)) {
        if (Number(disturbance.afterMs) > PAUSE_MS) end ??= 'timer';
        disturb(disturbance);
        if (temporal.isCancelled) end ??= 'cancelled';
        if (isMet()) end ??= 'met';
      }
      return end === 'cancelled' ? temporal.rejectCancelled() : Promise.resolve();
    },

    createLinkToken: async (
      { unconfirmedTokens, activityNumber }: CreateInput,
      remainingMs: number,
    ) => {
      const scheduledTimestampMs = temporal.nowMs;
      // Temporal retries within one activity.
      for (let attempt = activityNumber; ; attempt += 1) {
        begin('create');
        const outcome = creations.next().value ?? 'token';
        disturbancesNow(true).forEach(disturb);
        if (outcome === 'token') {
          return aToken({ unconfirmedTokens, jwe: String(unconfirmedTokens) });
        }
        const tokenMayExist = CREATIONS[outcome];
        if (tokenMayExist) temporal.uncertainTokens += 1;
        if (outcome === 'lost') return failLost();
        const type = CREATION_FAILURES[outcome];
        const retryable = type === 'AtlasUnavailable';
        const failed = { type, tokenMayExist, message: '', details: {}, retryable };
        const info = {
          scheduledTimestampMs,
          currentAttemptScheduledTimestampMs: temporal.nowMs,
          scheduleToCloseTimeoutMs: remainingMs,
          startToCloseTimeoutMs: 0,
        } as Info;
        const timing = { info, failureCount: attempt, backoff: BACKOFF };
        const failure = creationFailure(failed, timing);
        if (failure.nonRetryable || temporal.isCancelled) return fail(failure);
        const waited = temporal.wait(Number(failure.nextRetryDelay));
        const isStopped = await waited.then(
          () => temporal.isCancelled,
          () => true,
        );
        if (isStopped) return fail(new CancelledFailure('cancelled'));
      }
    },

    deliverLinkToken: ({ jwe }: DeliverInput, sink: string) => {
      begin('deliver');
      const outcome = deliveries.next().value ?? 'stored';
      const callsSink = DELIVERIES[outcome];
      if (callsSink) temporal.calledSinks.add(sink);
      const now = disturbancesNow(true);
      now.forEach(disturb);
      if (outcome === 'slow' && now.length > 0) return fail(new CancelledFailure('stopped'));
      if (outcome === 'lost') return failLost();
      if (outcome !== 'stored') {
        const rejection = { type: 'SinkRejected', message: '', retryable: false } as const;
        const timing = { info: {} as Info, failureCount: 1, backoff: BACKOFF };
        return fail(deliveryFailure(rejection, timing, callsSink));
      }
      return Promise.resolve(aReceipt({ unconfirmedTokens: Number(jwe), sink }));
    },
  };
  return temporal;
}

it('random sequences: tokens are counted, sinks are named, a cancel ends the run', async () => {
  const property = fc.asyncProperty(sequences(8), async (sequence) => {
    mockTemporal = createTemporal(sequence);
    const ending: Partial<Receipt & FailureDetails> = await prepareLiveMigration(REQUEST).catch(
      (error: unknown) => (error as { details: object[] }).details[0] ?? {},
    );
    const { unconfirmedTokens = 0, sink, alsoTried = [], sinksTried = [] } = ending;
    const { uncertainTokens, calledSinks, trace } = mockTemporal;
    const notNamed = [...calledSinks].filter(
      (called) => ![sink, ...alsoTried, ...sinksTried].includes(called),
    );
    const facts = {
      unconfirmedTokens,
      notNamed,
      ignoredCancel: IGNORED_CANCEL.exec(trace.join(' ')),
    };
    const expected = { unconfirmedTokens: uncertainTokens, notNamed: [], ignoredCancel: null };
    // Of ten thousand sequences nearly all pass, and `expect` takes longer than a run.
    if (!isDeepStrictEqual(facts, expected)) expect(facts).toEqual(expected);
  });
  await fc.assert(property, { numRuns: 10_000, seed: SEED });
});
