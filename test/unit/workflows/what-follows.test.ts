import type { ActivityOptions } from '@temporalio/workflow';
import type { RunPlan } from '../../../src/shared/activities';
import type { AttemptFailure } from '../../../src/shared/attempt-failure';
import { createToken } from '../../../src/workflows/create-token';
import { deliverToken } from '../../../src/workflows/deliver-token';
import type { RunStatus } from '../../../src/workflows/run-status';
import type { Updates } from '../../../src/workflows/updates';
import { RETRIES, aReceipt, aRequest, aToken } from '../samples';

/** The loops of a run, with scripted outcomes of activities: what follows from each. */

const HOUR_MS = 3_600_000;
const PAUSE_MS = 60_000;

type Failure = Partial<AttemptFailure> & { wasCancelled?: boolean };
/** The outcome of an activity, and what happens meanwhile. */
type Step = { fails?: Failure; returns?: object; meanwhile?: () => void };

const mockRun = {
  isCancelled: false,
  steps: [] as Step[],
  /** What the run did: `round`, `one attempt`, `revoke` or `pause`. */
  trace: [] as string[],
  next(what: string, result: object) {
    mockRun.trace.push(what);
    const { fails, returns = result, meanwhile } = mockRun.steps.shift() ?? {};
    meanwhile?.();
    if (!fails) return Promise.resolve({ result: returns });
    const { wasCancelled = false, ...failure } = fails;
    return Promise.resolve({ failure: { ...FAILURE, ...failure }, wasCancelled });
  },
};

jest.mock('@temporalio/workflow', () => ({
  ...jest.requireActual<object>('@temporalio/workflow'),
  CancellationScope: {
    current: () => ({ consideredCancelled: mockRun.isCancelled }),
    nonCancellable: (work: () => unknown) => work(),
  },
  sleep: () => Promise.resolve(mockRun.trace.push('pause')),
  condition: () => Promise.resolve(mockRun.trace.push('pause')),
  workflowInfo: () => ({ workflowId: 'id', runId: 'id' }),
  log: { info() {} },
  metricMeter: { createCounter: () => ({ add() {} }) },
  proxyActivities: ({ retry }: ActivityOptions) => ({
    createLinkToken: () => mockRun.next('create', aToken()),
    deliverLinkToken: (_input: object, sink: string) =>
      mockRun.next(retry?.maximumAttempts ? 'one attempt' : 'round', aReceipt({ sink })),
    revokeLinkToken: () => mockRun.next('revoke', { outcome: 'deleted' }),
  }),
}));
jest.mock('../../../src/workflows/settle', () => ({
  settle: (outcome: unknown) => outcome,
}));

beforeAll(() => {
  jest.spyOn(Date, 'now').mockReturnValue(0);
  jest.spyOn(Math, 'random').mockReturnValue(0);
});
afterAll(() => void jest.restoreAllMocks());

const FAILURE: AttemptFailure = {
  type: 'TokenUnconfirmed',
  message: 'Atlas returned 503',
  details: {},
  permanent: false,
  tokenMayExist: true,
};
const PLAN = {
  request: aRequest({ sink: 'files' }),
  retries: { ...RETRIES, maximumIntervalMs: PAUSE_MS },
} as RunPlan;

const cancel = () => void (mockRun.isCancelled = true);
const begin = (steps: Step[]) =>
  Object.assign(mockRun, {
    steps,
    isCancelled: false,
    trace: [],
  });

/** A CancelledFailure has no type. */
const typeOf = (error: unknown) => (error as { type?: string }).type ?? 'Cancelled';

const REJECTED = { type: 'AtlasRequestRejected', permanent: true, tokenMayExist: false };
const NOT_CREATED = { type: 'AtlasUnavailable', tokenMayExist: false };

/** What happened, as the workflow sees it; an activity has failed only after Temporal's retries. */
type Creation = { fails: Failure; meanwhile?: () => void; deadlineAtMs?: number };

// A run that ends as cancelled ends as CANCELLED if nothing can be left, else as FAILED.
it.each<[what: string, next: string, creation: Creation]>([
  ['a token may exist', 'waits, then another activity', { fails: {} }],
  ['the attempt was lost', 'waits, then another activity', { fails: { type: null } }],
  ['Atlas rejected it', 'fails: AtlasRequestRejected', { fails: REJECTED }],
  [
    'Atlas responded 2xx without a token',
    'fails: AtlasResponseInvalid',
    { fails: { type: 'AtlasResponseInvalid', permanent: true } },
  ],
  ['the token was lost', 'fails: TokenLost', { fails: { type: 'TokenLost', permanent: true } }],
  [
    'it failed for good with an unknown type',
    'fails: AtlasUnavailable',
    { fails: { type: 'Odd', permanent: true } },
  ],
  [
    'the run was cancelled, and a token may exist',
    'ends as cancelled',
    { fails: {}, meanwhile: cancel },
  ],
  [
    'the run was cancelled before the attempt began',
    'ends as cancelled',
    { fails: { wasCancelled: true } },
  ],
  [
    'the run was cancelled, and Atlas rejected it',
    'fails: AtlasRequestRejected',
    { fails: REJECTED, meanwhile: cancel },
  ],
  [
    'the run was cancelled, and nothing was created',
    'ends as cancelled',
    { fails: NOT_CREATED, meanwhile: cancel },
  ],
  ['nothing was created, and no time is left', 'fails: AtlasUnavailable', { fails: NOT_CREATED }],
  [
    'a token may exist, and the wait passes the deadline',
    'fails: AtlasUnavailable',
    { fails: { retryAfterMs: 60_000 }, deadlineAtMs: 60_000 },
  ],
])('after a failed creation, if %s, the run %s', async (_what, next, creation) => {
  const { fails, meanwhile = () => undefined, deadlineAtMs = HOUR_MS } = creation;
  const status = {
    current: { unconfirmedTokens: 0 },
    showCreating() {},
    showWaitingToCreate() {},
    countUnconfirmed() {},
  } as unknown as RunStatus;
  begin([{ fails, meanwhile }]);
  const found = await createToken(PLAN, deadlineAtMs, status).then(
    () => 'waits, then another activity',
    (error: unknown) =>
      typeOf(error) === 'Cancelled' ? 'ends as cancelled' : `fails: ${typeOf(error)}`,
  );
  expect(found).toBe(next);
});

describe('a delivery', () => {
  let updates: Updates;
  let published: { type: string; nextRoundAtMs: number } | null;
  let nextRounds: number[] = [];
  const status = {
    current: { unconfirmedTokens: 0 },
    showDelivering() {},
    showRevoking() {},
    forgetToken() {},
    reportUndelivered({ type }: { type: string }, _sink: string, nextRoundAtMs: number) {
      published ??= { type, nextRoundAtMs };
      nextRounds.push(nextRoundAtMs);
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
    nextRounds = [];
    updates = { redelivery: null, runStoppable: (work) => work() };
    before();
    const ending = await deliverToken(PLAN, aToken(), { status, updates }).then(
      () => 'delivered',
      (error: unknown) => `ends: ${typeOf(error)}`,
    );
    return { trace: mockRun.trace, ending };
  }

  const SINK_REJECTED = { type: 'SinkRejected', permanent: true };
  const WAIT = { ...SINK_REJECTED, retryAfterMs: 90_000 };
  type Case = { fails?: Failure; meanwhile?: () => void; before?: () => void };

  it.each<[what: string, next: string, a: Case]>([
    ['has its token, or the time of the next round has come', 'a round', {}],
    ['accepted a redeliver', 'a redelivery: one attempt', { before: redeliverTo() }],
    ['was cancelled while its token was being created', 'ends: Cancelled', { before: cancel }],
    [
      'was cancelled while undelivered',
      'ends: Cancelled',
      { fails: SINK_REJECTED, meanwhile: cancel },
    ],
    [
      'was cancelled and accepted a redeliver, both in one workflow task',
      'ends: Cancelled',
      { fails: SINK_REJECTED, meanwhile: cancelAndRedeliver },
    ],
  ])('of a run that %s is next: %s', async (_what, next, { before, ...step }) => {
    const NAMES: Record<string, string> = {
      round: 'a round',
      'one attempt': 'a redelivery: one attempt',
    };
    const { trace, ending } = await deliver(step.fails ? [step] : [], before);
    expect(ending === 'delivered' ? NAMES[trace[0] ?? ''] : ending).toBe(next);
  });

  it.each<[what: string, next: string, a: Case]>([
    ['a round failed', 'after the pause', { fails: SINK_REJECTED }],
    [
      'a round failed, and the sink requested a longer wait',
      'when the sink permits it',
      { fails: WAIT },
    ],
    ['a redelivery failed', 'as planned', { fails: SINK_REJECTED, before: redeliverTo() }],
    [
      "a redelivery failed, and the request's sink requested a wait",
      'when the sink permits it',
      { fails: WAIT, before: redeliverTo() },
    ],
    [
      'a redelivery failed, and another sink requested a wait',
      'as planned',
      { fails: WAIT, before: redeliverTo('other') },
    ],
    [
      'a redelivery stopped the delivery',
      'at once, as a redelivery',
      { fails: SINK_REJECTED, meanwhile: redeliverTo() },
    ],
    ['the run was cancelled', 'ends: Cancelled', { fails: SINK_REJECTED, meanwhile: cancel }],
    [
      'the only attempt of a cancelled run failed',
      'ends: Cancelled',
      { fails: SINK_REJECTED, before: cancel },
    ],
  ])('goes on after %s: %s', async (_what, next, { before, ...step }) => {
    const WHEN = new Map([
      [0, 'as planned'],
      [PAUSE_MS, 'after the pause'],
      [90_000, 'when the sink permits it'],
    ]);
    const { trace, ending } = await deliver([step], before);
    const isAtOnce = trace.join() === 'round,one attempt';
    const goesOn = isAtOnce ? 'at once, as a redelivery' : WHEN.get(published?.nextRoundAtMs ?? -1);
    expect(ending === 'delivered' ? goesOn : ending).toBe(next);
    if (ending === 'delivered' && !isAtOnce) expect(published?.type).toBe('SinkRejected');
  });

  it('pauses twice as long after each round, and at most six hours', async () => {
    await deliver(Array.from({ length: 11 }, () => ({ fails: SINK_REJECTED })));
    const minutes = [1, 2, 4, 8, 16, 32, 64, 128, 256, 360, 360];
    expect(nextRounds.map((ms) => ms / 60_000)).toEqual(minutes);
  });

  it('a round that a redelivery stopped still postpones the next one by its Retry-After', async () => {
    const round = { fails: WAIT, meanwhile: redeliverTo('other') };
    await deliver([round, { fails: SINK_REJECTED }]);
    expect(published?.nextRoundAtMs).toBe(90_000);
  });

  it('by a worker that did not know a claim has it as null', async () => {
    const { requestedBy: _, ...older } = aReceipt();
    begin([{ returns: older }]);
    updates = { redelivery: null, runStoppable: (work) => work() };
    const receipt = await deliverToken(PLAN, aToken(), { status, updates });
    expect(receipt).toEqual({ ...aReceipt({ sink: 'files' }), requestedBy: null });
  });

  it('that somebody completed by hand names the sink that the run asked for', async () => {
    begin([{ returns: aReceipt({ sink: 'invented' }) }]);
    updates = { redelivery: null, runStoppable: (work) => work() };
    const receipt = await deliverToken(PLAN, aToken(), { status, updates });
    expect(receipt.sink).toBe('files');
  });

  it('that fails with an unknown type makes the run undelivered with SinkUnavailable', async () => {
    await deliver([{ fails: { type: 'Odd', permanent: true } }]);
    expect(published).toEqual({ type: 'SinkUnavailable', nextRoundAtMs: PAUSE_MS });
  });
});
