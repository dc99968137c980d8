import type { ParsedFailure } from '../../../src/workflows/activity-results';
import {
  decideDeliveryKind,
  decideCreation,
  decideDelivery,
  type CreationSituation,
  type DeliverySituation,
} from '../../../src/workflows/decisions';
import { page, tableBelow } from '../../support/markdown';
import { BACKOFF } from '../samples';

const ARCHITECTURE = page('docs/architecture.md');
const HOUR_MS = 3_600_000;

const failure = (more: Partial<ParsedFailure>): ParsedFailure => ({
  how: 'failed',
  type: 'TokenUnconfirmed',
  message: 'Atlas returned 503',
  details: {},
  runMayRetry: true,
  retryAfterMs: undefined,
  tokenMayExist: true,
  sinkTried: true,
  ...more,
});

describe('after a failed attempt to create a token', () => {
  const REJECTED = failure({
    type: 'AtlasRequestRejected',
    runMayRetry: false,
    tokenMayExist: false,
  });
  const NOT_CREATED = failure({ type: 'AtlasUnavailable', tokenMayExist: false });
  const LATE = { retryAfterMs: 60_000 };
  const SOON = { deadlineAtMs: 60_000 };

  const ATTEMPTS: [what: string, failed: ParsedFailure, situation?: Partial<CreationSituation>][] =
    [
      ['a token may exist', failure({})],
      ['the attempt was lost', failure({ type: null })],
      ['Atlas rejected it', REJECTED],
      [
        'Atlas responded 2xx without a token',
        failure({ type: 'AtlasResponseInvalid', runMayRetry: false }),
      ],
      ['the token was lost', failure({ type: 'TokenLost', runMayRetry: false })],
      ['it failed for good with an unknown type', failure({ type: 'Odd', runMayRetry: false })],
      ['the run was cancelled, and a token may exist', failure({}), { isCancelled: true }],
      ['another client cancelled the activity', failure({ how: 'cancelled' })],
      ['the run was cancelled, and Atlas rejected it', REJECTED, { isCancelled: true }],
      ['the run was cancelled, and nothing was created', NOT_CREATED, { isCancelled: true }],
      ['no attempt ended in time, or none started', failure({ how: 'scheduleToClose' })],
      ['nothing was created, and no time is left', NOT_CREATED],
      ['a token may exist, and the wait passes the deadline', failure(LATE), SOON],
    ];

  function describeNext(failed: ParsedFailure, more: Partial<CreationSituation> = {}): string {
    const situation = { activityNumber: 1, isCancelled: false, nowMs: 0, deadlineAtMs: HOUR_MS };
    const decision = decideCreation(failed, { ...situation, ...more }, BACKOFF);
    if (decision.next === 'fail') return `fails: \`${decision.type}\``;
    if (decision.next === 'cancelled') return 'ends as cancelled';
    return decision.next === 'wait' ? 'waits, then another activity' : 'fails: `AtlasUnavailable`';
  }

  it("each row of the table 'After a failed creation' in docs/architecture.md gives the run's next step", () => {
    expect(ATTEMPTS.map(([what, ...attempt]) => [what, describeNext(...attempt)])).toEqual(
      tableBelow(ARCHITECTURE, 'After a failed creation'),
    );
  });
});

const NEXT = {
  round: 'a round',
  redelivery: 'a redelivery: one attempt',
  final: 'one last attempt',
};

it("each row of the table 'Before a delivery' in docs/architecture.md gives the run's next step", () => {
  const LATER = { isFirst: false, isCancelled: false, isRequested: false };
  const runs: [what: string, situation: Partial<typeof LATER>][] = [
    ['has its token, or the time of the next round has come', { isFirst: true }],
    ['accepted a `redeliver`', { isRequested: true }],
    ['was cancelled while its token was being created', { isFirst: true, isCancelled: true }],
    ['was cancelled while undelivered', { isCancelled: true }],
    [
      'was cancelled and accepted a `redeliver`, both in one workflow task',
      { isCancelled: true, isRequested: true },
    ],
  ];
  function describeNext(situation: Partial<typeof LATER>): string {
    const kind = decideDeliveryKind({ ...LATER, ...situation });
    return kind ? NEXT[kind] : 'ends: `Cancelled`';
  }
  expect(runs.map(([what, situation]) => [what, describeNext(situation)])).toEqual(
    tableBelow(ARCHITECTURE, 'Before a delivery'),
  );
});

describe('after a failed attempt to deliver a token', () => {
  const FAILED = failure({ type: 'SinkRejected', runMayRetry: false });
  const WAIT = { retryAfterMs: 90_000 };
  const PACE = { pauseMs: 60_000, nextRoundAtMs: 50_000 };
  const NOW_MS = 10_000;

  const ATTEMPTS: [what: string, Partial<ParsedFailure>, Partial<DeliverySituation>][] = [
    ['a round failed', {}, {}],
    ['a round failed, and the sink requested a longer wait', WAIT, {}],
    ['a round failed with an unknown type', { type: 'Odd' }, {}],
    ['a redelivery failed', {}, { kind: 'redelivery' }],
    ["a redelivery failed, and the request's sink requested a wait", WAIT, { kind: 'redelivery' }],
    [
      'a redelivery failed, and another sink requested a wait',
      WAIT,
      { kind: 'redelivery', isToOtherSink: true },
    ],
    ['a redelivery stopped the delivery', {}, { isSuperseded: true }],
    ['the run was cancelled', {}, { isCancelled: true, isSuperseded: true }],
    ['the only attempt of a cancelled run failed', {}, { kind: 'final' }],
  ];

  const NEXT_ROUND = new Map([
    [PACE.nextRoundAtMs, 'as planned'],
    [NOW_MS + PACE.pauseMs, 'after the pause'],
    [NOW_MS + WAIT.retryAfterMs, 'when the sink permits it'],
  ]);

  function describeNext(failed: Partial<ParsedFailure>, more: Partial<DeliverySituation>): string {
    const situation = {
      kind: 'round',
      isCancelled: false,
      isSuperseded: false,
      isToOtherSink: false,
    } as const;
    const decision = decideDelivery(
      { ...FAILED, ...failed },
      { ...situation, nowMs: NOW_MS, random: 0, ...more },
      PACE,
      { maximumPauseMs: 6 * HOUR_MS },
    );
    if (decision.next === 'cancelled') return 'ends: `Cancelled`';
    if (decision.next === 'redeliver') return 'redelivers at once';
    const type = decision.type === FAILED.type ? "the failure's type" : `\`${decision.type}\``;
    return `is undelivered, with ${type}; next round ${NEXT_ROUND.get(decision.nextRoundAtMs)}`;
  }

  it("each row of the table 'After a failed delivery' in docs/architecture.md gives the run's next step", () => {
    expect(ATTEMPTS.map(([what, ...attempt]) => [what, describeNext(...attempt)])).toEqual(
      tableBelow(ARCHITECTURE, 'After a failed delivery'),
    );
  });
});
