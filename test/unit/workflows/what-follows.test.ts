import type { ParsedFailure } from '../../../src/workflows/activity-results';
import { createToken } from '../../../src/workflows/create-token';
import { deliverToken } from '../../../src/workflows/deliver-token';
import type { RunStatus } from '../../../src/workflows/run-status';
import type { Updates } from '../../../src/workflows/updates';
import { page, tableBelow } from '../../support/markdown';
import { BACKOFF, aReceipt, aRequest, aToken } from '../samples';

/** The loops of a run, with scripted outcomes of activities: what follows from each. */

const ARCHITECTURE = page('docs/architecture.md');
const HOUR_MS = 3_600_000;
const PAUSE_MS = 60_000;

type Failure = Partial<ParsedFailure>;
/** The outcome of an activity, and what happens meanwhile. */
type Step = { fails?: Failure; meanwhile?: () => void };

const mockRun = {
  isCancelled: false,
  history: { historyLength: 0, historySize: 0 },
  steps: [] as Step[],
  /** What the run did: `round`, `one attempt`, `last attempt` or `pause`. */
  trace: [] as string[],
  next(what: string, result: object) {
    mockRun.trace.push(what);
    const { fails, meanwhile } = mockRun.steps.shift() ?? {};
    meanwhile?.();
    return Promise.resolve(fails ? { failure: { ...FAILURE, ...fails } } : { result });
  },
};

jest.mock('@temporalio/workflow', () => ({
  ...jest.requireActual<object>('@temporalio/workflow'),
  CancellationScope: {
    current: () => ({ consideredCancelled: mockRun.isCancelled }),
    nonCancellable: (work: () => unknown) => (mockRun.trace.push('last'), work()),
  },
  sleep: () => Promise.resolve(mockRun.trace.push('pause')),
  condition: () => Promise.resolve(mockRun.trace.push('pause')),
  workflowInfo: () => ({ workflowId: 'id', runId: 'id', ...mockRun.history }),
}));
jest.mock('../../../src/workflows/activity-results', () => ({
  settle: (outcome: unknown) => outcome,
}));
jest.mock('../../../src/workflows/activity-proxies', () => ({
  proxyCreateLinkToken: () => () => mockRun.next('create', aToken()),
  proxyDeliverLinkToken: (_retries: object, once: boolean) => (_input: object, sink: string) =>
    mockRun.next(once ? 'one attempt' : 'round', aReceipt({ sink })),
}));

beforeAll(() => {
  jest.spyOn(Date, 'now').mockReturnValue(0);
  jest.spyOn(Math, 'random').mockReturnValue(0);
});
afterAll(() => void jest.restoreAllMocks());

const FAILURE: ParsedFailure = {
  how: 'failed',
  type: 'TokenUnconfirmed',
  message: 'Atlas returned 503',
  details: {},
  runMayRetry: true,
  retryAfterMs: undefined,
  tokenMayExist: true,
  sinkTried: true,
};
const PLAN = {
  request: aRequest({ sink: 'files' }),
  retries: { ...BACKOFF, maximumIntervalMs: PAUSE_MS, maximumPauseMs: 6 * HOUR_MS },
} as Parameters<typeof createToken>[0];

const cancel = () => void (mockRun.isCancelled = true);
const lengthenHistory = () => void (mockRun.history.historyLength = 20_000);
const enlargeHistory = () => void (mockRun.history.historySize = 10 * 1024 * 1024);
const begin = (steps: Step[]) =>
  Object.assign(mockRun, {
    steps,
    isCancelled: false,
    history: { historyLength: 0, historySize: 0 },
    trace: [],
  });

/** A CancelledFailure has no type. */
const typeOf = (error: unknown) => (error as { type?: string }).type ?? 'Cancelled';

it("the table 'After a failed creation' in docs/architecture.md says what the run does", async () => {
  const REJECTED = { type: 'AtlasRequestRejected', runMayRetry: false, tokenMayExist: false };
  const NOT_CREATED = { type: 'AtlasUnavailable', tokenMayExist: false };
  const rows: [
    what: string,
    fails: Failure,
    meanwhile?: (() => void) | undefined,
    deadlineAtMs?: number,
  ][] = [
    ['a token may exist', {}],
    ['the attempt was lost', { type: null }],
    ['Atlas rejected it', REJECTED],
    ['Atlas responded 2xx without a token', { type: 'AtlasResponseInvalid', runMayRetry: false }],
    ['the token was lost', { type: 'TokenLost', runMayRetry: false }],
    ['it failed for good with an unknown type', { type: 'Odd', runMayRetry: false }],
    ['the run was cancelled, and a token may exist', {}, cancel],
    ['another client cancelled the activity', { how: 'cancelled' }],
    ['the run was cancelled, and Atlas rejected it', REJECTED, cancel],
    ['the run was cancelled, and nothing was created', NOT_CREATED, cancel],
    ['no attempt ended in time, or none started', { how: 'scheduleToClose' }],
    ['nothing was created, and no time is left', NOT_CREATED],
    [
      'a token may exist, and the wait passes the deadline',
      { retryAfterMs: 60_000 },
      undefined,
      60_000,
    ],
  ];
  const status = {
    current: { unconfirmedTokens: 0 },
    showCreating() {},
    showWaitingToCreate() {},
    countUnconfirmed() {},
  } as unknown as RunStatus;
  const found: [string, string][] = [];
  for (const [what, fails, meanwhile = () => undefined, deadlineAtMs = HOUR_MS] of rows) {
    begin([{ fails, meanwhile }]);
    const next = await createToken(PLAN, deadlineAtMs, status).then(
      () => 'waits, then another activity',
      (error: unknown) =>
        typeOf(error) === 'Cancelled' ? 'ends as cancelled' : `fails: \`${typeOf(error)}\``,
    );
    found.push([what, next]);
  }
  expect(found).toEqual(tableBelow(ARCHITECTURE, 'After a failed creation'));
});

describe('a delivery', () => {
  let updates: Updates;
  let published: { type: string; nextRoundAtMs: number } | null;
  const status = {
    current: { unconfirmedTokens: 0 },
    showDelivering() {},
    reportUndelivered({ type }: { type: string }, _sink: string, nextRoundAtMs: number) {
      published ??= { type, nextRoundAtMs };
    },
  } as unknown as RunStatus;

  const redeliverTo = (sink?: string) => () => void (updates.redelivery = { sink });

  const cancelAndRedeliver = () => {
    redeliverTo()();
    cancel();
  };

  /** Delivers; returns what the run did, and how it ended. */
  async function deliver(steps: Step[], before: () => void = () => undefined) {
    begin(steps);
    published = null;
    updates = { redelivery: null, runStoppable: (work) => work() };
    before();
    const ending = await deliverToken(PLAN, aToken(), [], { status, updates }).then(
      () => 'delivered',
      (error: unknown) => `ends: \`${typeOf(error)}\``,
    );
    return { trace: mockRun.trace, ending };
  }

  it("the table 'Before a delivery' in docs/architecture.md says what the run does", async () => {
    const NAMES: Record<string, string> = {
      round: 'a round',
      'one attempt': 'a redelivery: one attempt',
      last: 'one last attempt',
    };
    const REJECTED = { type: 'SinkRejected', runMayRetry: false };
    const rows: [what: string, steps: Step[], before?: () => void][] = [
      ['has its token, or the time of the next round has come', []],
      ['accepted a `redeliver`', [], redeliverTo()],
      ['was cancelled while its token was being created', [], cancel],
      ['was cancelled while undelivered', [{ fails: REJECTED, meanwhile: cancel }]],
      [
        'was cancelled and accepted a `redeliver`, both in one workflow task',
        [{ fails: REJECTED, meanwhile: cancelAndRedeliver }],
      ],
    ];
    const found: unknown[] = [];
    for (const [what, steps, before] of rows) {
      const { trace, ending } = await deliver(steps, before);
      found.push([what, ending === 'delivered' ? NAMES[trace[0] ?? ''] : ending]);
    }
    expect(found).toEqual(tableBelow(ARCHITECTURE, 'Before a delivery'));
  });

  it("the table 'After a failed delivery' in docs/architecture.md says what the run does", async () => {
    const REJECTED = { type: 'SinkRejected', runMayRetry: false };
    const WAIT = { ...REJECTED, retryAfterMs: 90_000 };
    const rows: [what: string, step: Step, before?: () => void][] = [
      ['a round failed', { fails: REJECTED }],
      ['a round failed, and the sink requested a longer wait', { fails: WAIT }],
      [
        'a round failed, and the history has 20,000 events',
        { fails: REJECTED, meanwhile: lengthenHistory },
      ],
      ['a round failed, and the history has 10 MB', { fails: REJECTED, meanwhile: enlargeHistory }],
      ['a redelivery failed', { fails: REJECTED }, redeliverTo()],
      [
        "a redelivery failed, and the request's sink requested a wait",
        { fails: WAIT },
        redeliverTo(),
      ],
      [
        'a redelivery failed, and another sink requested a wait',
        { fails: WAIT },
        redeliverTo('other'),
      ],
      ['a redelivery stopped the delivery', { fails: REJECTED, meanwhile: redeliverTo() }],
      ['the run was cancelled', { fails: REJECTED, meanwhile: cancel }],
      ['the only attempt of a cancelled run failed', { fails: REJECTED }, cancel],
    ];
    const WHEN = new Map([
      [0, 'as planned'],
      [PAUSE_MS, 'after the pause'],
      [6 * HOUR_MS, 'after a pause of 6 hours'],
      [90_000, 'when the sink permits it'],
    ]);
    const found: unknown[] = [];
    for (const [what, step, before] of rows) {
      const { trace, ending } = await deliver([step], before);
      const isAtOnce = trace.join() === 'round,one attempt';
      if (!isAtOnce && ending === 'delivered') expect(published?.type).toBe('SinkRejected');
      const nextRound = WHEN.get(published?.nextRoundAtMs ?? -1);
      const goesOn = isAtOnce ? 'redelivers at once' : nextRound;
      found.push([what, ending === 'delivered' ? goesOn : ending]);
    }
    expect(found).toEqual(tableBelow(ARCHITECTURE, 'After a failed delivery'));
  });

  it('that fails with an unknown type makes the run undelivered with SinkUnavailable', async () => {
    await deliver([{ fails: { type: 'Odd', runMayRetry: false } }]);
    expect(published).toEqual({ type: 'SinkUnavailable', nextRoundAtMs: PAUSE_MS });
  });
});
