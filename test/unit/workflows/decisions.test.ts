import fc from 'fast-check';
import type { AttemptFailure } from '../../../src/workflows/activity-results';
import {
  decideCreation,
  decideDelivery,
  isTooLate,
  type CreationSituation,
  type DeliverySituation,
} from '../../../src/workflows/decisions';

const BACKOFF = { initialIntervalMs: 1000, backoffCoefficient: 2, maximumIntervalMs: 60_000 };
const HOUR_MS = 3_600_000;

const failure = (more: Partial<AttemptFailure>): AttemptFailure => ({
  how: 'failed',
  type: 'TokenUnconfirmed',
  message: 'Atlas returned 503',
  details: {},
  retryable: true,
  retryAfterMs: undefined,
  tokenMayExist: true,
  sinkTried: true,
  ...more,
});

describe('after a failed attempt to create a token', () => {
  const creating = (more: Partial<CreationSituation> = {}): CreationSituation => ({
    tries: 1,
    isCancelled: false,
    startedLate: false,
    previous: null,
    nowMs: 0,
    deadlineAtMs: HOUR_MS,
    ...more,
  });
  const REJECTED = failure({ type: 'AtlasRequestRejected', retryable: false, tokenMayExist: false });
  const LOST_TOKEN = failure({ type: 'TokenLost', retryable: false });
  const PREVIOUS = failure({ message: 'the one before' });

  const OUTCOMES: [what: string, AttemptFailure, Partial<CreationSituation>, next: object][] = [
    ['a token may exist: it waits', failure({}), {}, { next: 'wait' }],
    ['the attempt was lost: it waits', failure({ how: 'lost', type: '' }), {}, { next: 'wait' }],
    ['Atlas rejected it: the run fails', REJECTED, {}, { next: 'fail', type: 'AtlasRequestRejected' }],
    ['the token was lost: the run fails', LOST_TOKEN, {}, { next: 'fail', type: 'TokenLost' }],
    [
      'it failed for good with a type of none of ours',
      failure({ type: 'Odd', retryable: false }),
      {},
      { next: 'fail', type: 'AtlasUnavailable' },
    ],
    ['the run was cancelled', failure({}), { isCancelled: true }, { next: 'cancelled' }],
    ['somebody cancelled the activity', failure({ how: 'cancelled' }), {}, { next: 'cancelled' }],
    ['Atlas rejected it in a cancelled run', REJECTED, { isCancelled: true }, { next: 'fail' }],
    ['schedule-to-close ended it', failure({ how: 'scheduleToClose' }), {}, { next: 'giveUp' }],
    [
      'nothing was created, and Temporal gave up',
      failure({ type: 'AtlasUnavailable', tokenMayExist: false }),
      {},
      { next: 'giveUp' },
    ],
    [
      'it started after the deadline and sent nothing: the reason is that of the attempt before',
      failure({ type: 'AtlasUnavailable', retryable: false, tokenMayExist: false }),
      { startedLate: true, previous: PREVIOUS },
      { next: 'giveUp', because: PREVIOUS },
    ],
    ['it started after the deadline', failure({}), { startedLate: true }, { next: 'giveUp' }],
    [
      'the wait passes the deadline',
      failure({ retryAfterMs: 60_000 }),
      { deadlineAtMs: 60_000 },
      { next: 'giveUp' },
    ],
    [
      'the wait after a lost attempt passes the deadline: its worker may hold the token',
      failure({ how: 'lost', retryAfterMs: 60_000 }),
      { deadlineAtMs: 60_000 },
      { next: 'wait' },
    ],
  ];

  it.each(OUTCOMES)('%s', (_what, failed, situation, next) => {
    expect(decideCreation(failed, creating(situation), BACKOFF)).toMatchObject(next);
  });

  it('a wait is never shorter than what Atlas requested, and never passes the deadline unless the attempt was lost', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 100 }),
        fc.nat(2 * HOUR_MS),
        fc.nat(HOUR_MS),
        fc.boolean(),
        (tries, retryAfterMs, nowMs, isLost) => {
          const failed = failure({ retryAfterMs, how: isLost ? 'lost' : 'failed' });
          const decision = decideCreation(failed, creating({ tries, nowMs }), BACKOFF);
          if (decision.next !== 'wait') return !isLost;
          return decision.waitMs >= retryAfterMs && (isLost || nowMs + decision.waitMs < HOUR_MS);
        },
      ),
    );
  });

  it.each([
    ['failed', HOUR_MS - 1, false],
    ['failed', HOUR_MS, true],
    ['lost', HOUR_MS, false],
    ['scheduleToClose', HOUR_MS, true],
  ] as const)('no attempt follows one that %s at %i: %p', (how, atMs, expected) => {
    expect(isTooLate(failure({ how }), atMs, HOUR_MS)).toBe(expected);
  });
});

describe('after a failed attempt to deliver a token', () => {
  const delivering = (more: Partial<DeliverySituation> = {}): DeliverySituation => ({
    kind: 'round',
    isCancelled: false,
    isSuperseded: false,
    isElsewhere: false,
    nowMs: 10_000,
    ...more,
  });
  const rejected = failure({ type: 'SinkRejected', retryable: false });
  const PACE = { pauseMs: 60_000, nextRoundAtMs: 50_000 };

  const OUTCOMES: [what: string, Partial<AttemptFailure>, Partial<DeliverySituation>, next: object][] = [
    ['a round ends', {}, {}, { next: 'wait', nextRoundAtMs: 70_000, pauseMs: 120_000 }],
    ['the sink requested more', { retryAfterMs: 90_000 }, {}, { nextRoundAtMs: 100_000, pauseMs: 120_000 }],
    ['the type is none of ours', { type: 'Odd' }, {}, { next: 'wait', type: 'SinkUnavailable' }],
    ['a redelivery fails', {}, { kind: 'redelivery' }, { next: 'wait', ...PACE }],
    [
      'a redelivery fails, and the own sink requested a wait',
      { retryAfterMs: 90_000 },
      { kind: 'redelivery' },
      { nextRoundAtMs: 100_000, pauseMs: 60_000 },
    ],
    [
      'a redelivery fails, and another sink requested a wait',
      { retryAfterMs: 90_000 },
      { kind: 'redelivery', isElsewhere: true },
      { next: 'wait', ...PACE },
    ],
    ['a redelivery stopped it', {}, { isSuperseded: true }, { next: 'redeliver' }],
    ['the run was cancelled', {}, { isCancelled: true, isSuperseded: true }, { next: 'cancelled' }],
    ['it was the final attempt', {}, { kind: 'final' }, { next: 'cancelled' }],
  ];

  it.each(OUTCOMES)('%s', (_what, failed, situation, next) => {
    const decision = decideDelivery(
      { ...rejected, ...failed },
      delivering(situation),
      PACE,
      { maximumPauseMs: 6 * HOUR_MS },
      0,
    );
    expect(decision).toMatchObject(next);
  });

  it('pauses double up to the maximum, each up to a fifth shorter', () => {
    let pace = { pauseMs: 60_000, nextRoundAtMs: 0 };
    const pauses: number[] = [];
    for (let round = 0; round < 11; round += 1) {
      const decision = decideDelivery(
        rejected,
        delivering({ nowMs: 0 }),
        pace,
        { maximumPauseMs: 6 * HOUR_MS },
        1,
      );
      if (decision.next !== 'wait') throw new Error(`it decided ${decision.next}`);
      pace = decision;
      pauses.push(pace.nextRoundAtMs / 60_000);
    }
    expect(pauses).toEqual([1, 2, 4, 8, 16, 32, 64, 128, 256, 360, 360].map((minutes) => minutes * 0.8));
  });
});
