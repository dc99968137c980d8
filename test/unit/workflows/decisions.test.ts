import fc from 'fast-check';
import type { AttemptFailure } from '../../../src/workflows/activity-results';
import {
  decideCreation,
  decideDelivery,
  isTooLate,
  type CreationSituation,
  type DeliverySituation,
} from '../../../src/workflows/decisions';
import { page, tableBelow } from '../docs/markdown';

const ARCHITECTURE = page('docs/architecture.md');
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
    activityNumber: 1,
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
    ['a token may exist', failure({}), {}, { next: 'wait' }],
    ['the attempt was lost', failure({ how: 'lost', type: '' }), {}, { next: 'wait' }],
    ['Atlas rejected it', REJECTED, {}, { next: 'fail', type: 'AtlasRequestRejected' }],
    ['the token was lost', LOST_TOKEN, {}, { next: 'fail', type: 'TokenLost' }],
    [
      'it failed for good with an unknown type',
      failure({ type: 'Odd', retryable: false }),
      {},
      { next: 'fail', type: 'AtlasUnavailable' },
    ],
    ['the run was cancelled', failure({}), { isCancelled: true }, { next: 'cancelled' }],
    ['the activity was cancelled by hand', failure({ how: 'cancelled' }), {}, { next: 'cancelled' }],
    [
      'the run was cancelled, and Atlas rejected the attempt',
      REJECTED,
      { isCancelled: true },
      { next: 'fail' },
    ],
    ['no worker took it until the deadline', failure({ how: 'scheduleToClose' }), {}, { next: 'giveUp' }],
    [
      'nothing was created, and no time is left',
      failure({ type: 'AtlasUnavailable', tokenMayExist: false }),
      {},
      { next: 'giveUp' },
    ],
    [
      'it started after the deadline and sent nothing',
      failure({ type: 'AtlasUnavailable', retryable: false, tokenMayExist: false }),
      { startedLate: true, previous: PREVIOUS },
      { next: 'giveUp', because: PREVIOUS },
    ],
    ['it started after the deadline', failure({}), { startedLate: true }, { next: 'giveUp' }],
    [
      'a token may exist, and the wait passes the deadline',
      failure({ retryAfterMs: 60_000 }),
      { deadlineAtMs: 60_000 },
      { next: 'giveUp' },
    ],
    [
      'the attempt was lost, and the wait passes the deadline',
      failure({ how: 'lost', retryAfterMs: 60_000 }),
      { deadlineAtMs: 60_000 },
      { next: 'wait' },
    ],
  ];

  it.each(OUTCOMES)('%s', (_what, failed, situation, next) => {
    expect(decideCreation(failed, creating(situation), BACKOFF)).toMatchObject(next);
  });

  function describeNext(failed: AttemptFailure, situation: Partial<CreationSituation>): string {
    const decision = decideCreation(failed, creating(situation), BACKOFF);
    if (decision.next === 'fail') return `fails: \`${decision.type}\``;
    if (decision.next === 'cancelled') return 'ends as cancelled';
    if (decision.next === 'wait') return 'waits, then tries again';
    return `fails: \`AtlasUnavailable\`${decision.because === failed ? '' : ', with the reason of the attempt before'}`;
  }

  it('the table in docs/architecture.md says the same', () => {
    expect(tableBelow(ARCHITECTURE, 'After a failed attempt to create')).toEqual(
      OUTCOMES.map(([what, failed, situation]) => [what, describeNext(failed, situation)]),
    );
  });

  it('a wait is never shorter than what Atlas requested, and never passes the deadline unless the attempt was lost', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 100 }),
        fc.nat(2 * HOUR_MS),
        fc.nat(HOUR_MS),
        fc.boolean(),
        (activityNumber, retryAfterMs, nowMs, isLost) => {
          const failed = failure({ retryAfterMs, how: isLost ? 'lost' : 'failed' });
          const decision = decideCreation(failed, creating({ activityNumber, nowMs }), BACKOFF);
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
    ['a round failed', {}, {}, { next: 'wait', nextRoundAtMs: 70_000, pauseMs: 120_000 }],
    [
      'a round failed, and the sink requested a longer wait',
      { retryAfterMs: 90_000 },
      {},
      { nextRoundAtMs: 100_000, pauseMs: 120_000 },
    ],
    ['a round failed with an unknown type', { type: 'Odd' }, {}, { next: 'wait', type: 'SinkUnavailable' }],
    ['a redelivery failed', {}, { kind: 'redelivery' }, { next: 'wait', ...PACE }],
    [
      "a redelivery failed, and the request's sink requested a wait",
      { retryAfterMs: 90_000 },
      { kind: 'redelivery' },
      { nextRoundAtMs: 100_000, pauseMs: 60_000 },
    ],
    [
      'a redelivery failed, and another sink requested a wait',
      { retryAfterMs: 90_000 },
      { kind: 'redelivery', isElsewhere: true },
      { next: 'wait', ...PACE },
    ],
    ['a redelivery stopped the attempt', {}, { isSuperseded: true }, { next: 'redeliver' }],
    ['the run was cancelled', {}, { isCancelled: true, isSuperseded: true }, { next: 'cancelled' }],
    ['the only attempt of a cancelled run failed', {}, { kind: 'final' }, { next: 'cancelled' }],
  ];

  const decide = (failed: Partial<AttemptFailure>, situation: Partial<DeliverySituation>) =>
    decideDelivery(
      { ...rejected, ...failed },
      delivering(situation),
      PACE,
      { maximumPauseMs: 6 * HOUR_MS },
      0,
    );

  it.each(OUTCOMES)('%s', (_what, failed, situation, next) => {
    expect(decide(failed, situation)).toMatchObject(next);
  });

  function describeNext(failed: Partial<AttemptFailure>, situation: Partial<DeliverySituation>): string {
    const decision = decide(failed, situation);
    if (decision.next === 'cancelled') return 'ends: `Cancelled`';
    if (decision.next === 'redeliver') return 'redelivers at once';
    const { nowMs } = delivering();
    const requestedAtMs = nowMs + (failed.retryAfterMs ?? 0);
    const time =
      decision.nextRoundAtMs === PACE.nextRoundAtMs
        ? 'as planned'
        : decision.nextRoundAtMs === requestedAtMs
          ? 'when the sink permits it'
          : 'after the pause';
    return `is undelivered: \`${decision.type}\`; next round ${time}`;
  }

  it('the table in docs/architecture.md says the same', () => {
    expect(tableBelow(ARCHITECTURE, 'After a failed attempt to deliver')).toEqual(
      OUTCOMES.map(([what, failed, situation]) => [what, describeNext(failed, situation)]),
    );
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
