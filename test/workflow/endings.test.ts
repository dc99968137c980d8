import { setTimeout as sleep } from 'node:timers/promises';
import type { SealedToken } from '../../src/contract/schemas';
import { terminalFailure } from '../../src/shared/application-failure';
import { findKeysCommand } from '../../src/shared/command-line';
import { formatCount } from '../../src/shared/text';
import { eventually } from '../support/eventually';
import {
  createdToken,
  endingOf,
  operate,
  setTimeoutOf,
  redeliver,
  startWaiting,
  statusOf,
  untilBackOff,
  untilStep,
  type Ending,
} from '../support/runs';
import {
  Gate,
  HUGE,
  afterCancel,
  afterCancelOf,
  atlasAway,
  cancelledBeforeSending,
  created,
  completedByHand,
  failing,
  forbidden,
  goneBefore,
  hanging,
  invalidResponse,
  lost,
  nameless,
  notCreated,
  notSealed,
  otherKey,
  rejected,
  revoked,
  sinkRejects,
  stored,
  deliveredByHand,
  tooSlow,
  unconfirmed,
  withHeartbeats,
  type Creation,
  type Delivery,
  type Revocation,
} from './attempts';
import type { Script, ScriptedRun } from './scripted-worker';
import { worker } from './shared-worker';

const TWO_HOURS_MS = 2 * 3_600_000;
/** The deadline passes during the first attempt. */
const LATE = { giveUpAfterMs: 1 };

/** The ending of a run, what it says of itself, and what it called. */
async function end({ handle, calls }: ScriptedRun) {
  const ending = await endingOf(handle);
  const { step, description } = await statusOf(handle);
  const { memo } = await handle.describe();
  return { ...ending, step, description, memo, ...calls };
}

async function cancel(run: ScriptedRun) {
  await run.handle.cancel();
  return end(run);
}

type Counted = [type: Ending['type'], unconfirmedTokens: number, creations: number];

describe('a run counts unconfirmed tokens:', () => {
  const INVALID = 'AtlasResponseInvalid';
  const slow: Creation = async (...args) => sleep(50).then(() => created(...args));

  it.concurrent.each<[what: string, create: Creation[], changed: object, ...Counted]>([
    ['503, a lost attempt, then a token', [unconfirmed(), lost, created], {}, 'delivered', 2, 3],
    ['a timeout, then a token', [tooSlow, created], {}, 'delivered', 1, 2],
    [
      '429, a lost attempt, then 201 without a token',
      [notCreated(), lost, invalidResponse],
      {},
      INVALID,
      2,
      3,
    ],
    ['2 MB completed by hand, then a token', [completedByHand, created], {}, 'delivered', 1, 2],
    ['429 until after the deadline', [notCreated(TWO_HOURS_MS)], {}, 'AtlasUnavailable', 0, 1],
    ['a token at the deadline', [slow], LATE, 'delivered', 0, 1],
    ['a lost attempt at the deadline', [lost], LATE, 'AtlasUnavailable', 1, 1],
  ])('%s', async (_what, create, changed, type, unconfirmedTokens, creations) => {
    const ended = await end(await worker().start({ create, retries: changed }));
    expect(ended).toMatchObject({ type, unconfirmedTokens, creations });
    expect(ended.memo?.['unconfirmedTokens'] ?? 0).toBe(unconfirmedTokens);
  });

  it.concurrent.each([
    ['after the deadline', undefined, LATE, 'passed'],
    ['whose wait passes the deadline', TWO_HOURS_MS, {}, 'passes before the next attempt'],
  ])('a 503 %s, and gives up with the reason', async (_when, retryAfterMs, retries, deadline) => {
    const run = await worker().start({ create: [unconfirmed(retryAfterMs)], retries });
    const { message, ...ended } = await end(run);
    const details = { status: 503, unconfirmedTokens: 1 };
    expect(ended).toMatchObject({ type: 'AtlasUnavailable', creations: 1, details });
    expect(message).toBe(
      `gave up: the retry deadline ${deadline}; last error: Atlas returned 503;` +
        ' start a new run once that is resolved;' +
        ' Atlas may have created up to 1 unconfirmed token, which the run never received,' +
        ' each with an API key; an hour later, this finds the keys:' +
        ` \`${findKeysCommand(run.handle.workflowId)}\`;` +
        ' do not reset this run: that can create another token',
    );
  });
});

it.concurrent(
  'a creation that runs out of time counts one token, and the run goes on',
  async () => {
    // A busy server may start the second attempt before it sees that the time is over. That attempt
    // hangs.
    const hangingAtFirst: Creation = (input, backoff) => {
      const creation = input.activityNumber === 1 ? afterCancel(created) : created;
      return creation(input, backoff);
    };
    const run = await worker().start({ create: [notCreated(600_000), hangingAtFirst] });
    await untilBackOff(run.handle);
    await operate(run.handle, 'pause');
    await setTimeoutOf(run.handle, 'schedule_to_close', 1);
    expect((await statusOf(run.handle)).step).toBe('creating');
    await operate(run.handle, 'unpause');
    expect(await end(run)).toMatchObject({ type: 'delivered', unconfirmedTokens: 1 });
  },
);

const TOKEN_EXISTS = { state: 'delivered', runId: 'earlier', unconfirmedTokens: 0 };
const tokenExists = failing(terminalFailure('TokenExists', 'it has a token', TOKEN_EXISTS));
const notListed = failing(terminalFailure('TemporalUnavailable', 'not listed'));
const invalid = { sink: 'nowhere', accessListIps: ['0.0.0.0/0'] };
const fields = [{ field: 'accessListIps[0]' }, { field: 'sink' }];

it.concurrent.each<[what: string, find: () => never, change: object, type: Ending['type'], object]>(
  [
    [
      'an invalid request, even with an earlier token',
      tokenExists,
      invalid,
      'InvalidRequest',
      { fields },
    ],
    ['an earlier token, whose run it names', tokenExists, {}, 'TokenExists', TOKEN_EXISTS],
    [
      'runs that Temporal does not list',
      notListed,
      {},
      'TemporalUnavailable',
      { unconfirmedTokens: 0 },
    ],
  ],
)('a run fails for %s, and calls nothing', async (_what, find, change, type, details) => {
  const ended = await end(await worker().start({ find }, change));
  expect(ended).toMatchObject({ type, details, step: 'failed', creations: 0 });
});

it.concurrent('a receipt of 2 MB or without a location makes the run deliver again', async () => {
  const deliver = [undefined, HUGE].map(deliveredByHand);
  const retries = { initialIntervalMs: 1, maximumIntervalMs: 1 };
  expect(await end(await worker().start({ deliver, retries }))).toMatchObject({
    type: 'delivered',
    receipt: { sink: 'files', location: 'place of files', alsoTried: [] },
    sinks: ['files', 'files', 'files'],
  });
});

describe('a cancel during creation ends run and callers without another POST:', () => {
  it.concurrent.each<[what: string, create: Creation[], ...Counted]>([
    ['nothing was sent', [cancelledBeforeSending], 'CANCELLED', 0, 1],
    ['429', [afterCancel(notCreated(600_000))], 'CANCELLED', 0, 1],
    ['429 until the deadline', [afterCancel(notCreated(TWO_HOURS_MS))], 'CANCELLED', 0, 1],
    ['403', [afterCancel(rejected)], 'AtlasRequestRejected', 0, 1],
    ['503, then nothing was sent', [unconfirmed(), cancelledBeforeSending], 'Cancelled', 1, 2],
    ['503 twice', [unconfirmed(), afterCancel(unconfirmed())], 'Cancelled', 2, 2],
    ['a token', [afterCancel(created)], 'CANCELLED', 0, 1],
    ['503, then a token', [unconfirmed(), afterCancel(created)], 'Cancelled', 1, 2],
  ])('%s', async (_what, create, type, unconfirmedTokens, creations) => {
    const run = await worker().start({ create });
    await eventually('the attempt', () => run.calls.creations === creations);
    const waiting = await startWaiting(run.handle, run.request);
    const ended = await cancel(run);
    expect(ended).toMatchObject({ type, unconfirmedTokens, creations });
    expect((await waiting.outcome()).type).toBe(type === 'CANCELLED' ? 'Cancelled' : type);
    const { deliveryId } = await statusOf(run.handle);
    expect(ended).toMatchObject({ sinks: [], revocations: deliveryId === null ? 0 : 1 });
    if (type !== 'Cancelled') return;
    // The key of the token is gone: only what is unconfirmed is left.
    expect(ended).toMatchObject({
      step: 'cancelled',
      details: { deliveryId: null, publicApiKey: null, sinksTried: [] },
      memo: { unconfirmedTokens },
    });
    expect(ended.memo).not.toHaveProperty('deliveryId');
    const count = formatCount(ended.unconfirmedTokens, 'unconfirmed token');
    expect(ended.message).toContain(`up to ${count}, which the run never received`);
    expect(ended.message.includes('abcdefgh is gone')).toBe(deliveryId !== null);
  });
});

describe('a run whose worker lost the token', () => {
  it.concurrent.each<[what: string, script: Script, unconfirmed: number, key: string | null]>([
    ['deletes its key, even while it is cancelled', { revoke: [atlasAway] }, 0, null],
    ['names a key that Atlas does not let it delete', { revoke: [otherKey] }, 1, 'abcdefgh'],
  ])('%s', async (_what, script, unconfirmedTokens, publicApiKey) => {
    const run = await worker().start({ create: [afterCancel(notSealed)], ...script });
    await eventually('the attempt', () => run.calls.creations === 1);
    const ended = await cancel(run);
    expect(ended).toMatchObject({
      type: 'TokenLost',
      message: expect.stringContaining(
        publicApiKey === null ? 'its API key abcdefgh is gone' : 'could not be deleted',
      ),
      details: { publicApiKey, unconfirmedTokens },
      unconfirmedTokens,
    });
    expect(ended.memo?.['unconfirmedTokens'] ?? 0).toBe(unconfirmedTokens);
  });
});

/** Cancels a run before its first workflow task; returns its description. */
async function cancelAtOnce(): Promise<string> {
  const { installation, setScript } = worker();
  const request = installation.newRequest();
  const calls = setScript(request, {});
  const handle = await installation.start(request, { startDelay: '1h' });
  const { description, ...ended } = await cancel({ request, handle, calls });
  expect(ended).toMatchObject({ type: 'CANCELLED', creations: 0, sinks: [], memo: {} });
  return description;
}

it.concurrent('a cancel before the first workflow task ends a run as CANCELLED', async () => {
  expect(await cancelAtOnce()).toBe('cancelled; no token was created');
});

it.concurrent(
  'a cancel while a run waits after 503 ends it as Cancelled with the count',
  async () => {
    const run = await worker().start({ create: [unconfirmed(), unconfirmed(600_000)] });
    await eventually('the wait', async () => (await statusOf(run.handle)).unconfirmedTokens === 2);
    const ended = await cancel(run);
    expect(ended).toMatchObject({
      type: 'Cancelled',
      creations: 2,
      memo: { unconfirmedTokens: 2 },
    });
    expect(ended.message).toMatch(
      /up to 2 unconfirmed tokens.*`atlas organizations apiKeys list .* live-migration-prep api-keys /,
    );
  },
);

describe('a cancel of a run whose token is not delivered', () => {
  const REVOKED = { type: 'CANCELLED', step: 'cancelled', memo: {}, revocations: 1 };

  /** Starts a run, waits until it is undelivered, and cancels it. */
  async function cancelUndelivered(script: Script) {
    const run = await worker().start({ deliver: [sinkRejects], ...script });
    await untilStep(run.handle, 'undelivered');
    const token = (await createdToken(run.handle)) as SealedToken;
    // A second cancel changes nothing.
    await Promise.all([run.handle.cancel(), run.handle.cancel()]);
    return { run, token };
  }

  it.concurrent('between rounds deletes its key, and nothing is left', async () => {
    const { run, token } = await cancelUndelivered({});
    const ended = await end(run);
    expect(ended).toMatchObject(REVOKED);
    expect(ended.memo).toEqual({});
    expect(ended.description).toBe(
      `cancelled; token ${token.deliveryId} is worthless, since its API key abcdefgh is gone;` +
        ' it may be in sink files',
    );
  });

  it.concurrent('counts a key that somebody has deleted as gone', async () => {
    const { run } = await cancelUndelivered({ revoke: [goneBefore] });
    expect(await end(run)).toMatchObject(REVOKED);
  });

  it.concurrent('goes on while Atlas is away', async () => {
    const { run } = await cancelUndelivered({ revoke: [atlasAway, lost, atlasAway] });
    expect(await end(run)).toMatchObject({ ...REVOKED, revocations: 4 });
  });

  it.concurrent('awaits an attempt to deliver that then succeeds', async () => {
    const run = await worker().start({ deliver: [afterCancelOf(stored)] });
    await eventually('the attempt', () => run.calls.sinks.length === 1);
    expect(await cancel(run)).toMatchObject({ type: 'delivered', revocations: 0 });
  });

  it.concurrent.each<[what: string, Delivery]>([
    ['fails', afterCancelOf(sinkRejects)],
    ['is stopped', hanging],
  ])('awaits an attempt to deliver that then %s', async (_what, attempt) => {
    const run = await worker().start({ deliver: [attempt] });
    await eventually('the attempt', () => run.calls.sinks.length === 1);
    const waiting = await startWaiting(run.handle, run.request);
    expect(await cancel(run)).toMatchObject(REVOKED);
    expect((await waiting.outcome()).type).toBe('Cancelled');
  });

  it.concurrent('during a redelivery fails that too', async () => {
    const run = await worker().start({ deliver: [sinkRejects, hanging] });
    await untilStep(run.handle, 'undelivered');
    const redelivery = redeliver(run.handle, { sink: 'other' });
    await eventually('the redelivery', () => run.calls.sinks.length === 2);
    expect(await cancel(run)).toMatchObject(REVOKED);
    expect(await redelivery).toMatchObject({ type: 'Cancelled' });
  });

  it.concurrent.each<[what: string, script: Script, message: RegExp, key: string | null]>([
    [
      'the workers may delete no key',
      { revoke: [forbidden] },
      /could not be deleted: atlas.revocation .*; it may be in sink files;/,
      'abcdefgh',
    ],
    [
      'its key is described otherwise',
      { revoke: [otherKey] },
      /but as "deploy": .* delete key 1{24} in Atlas/,
      'abcdefgh',
    ],
    ['it does not name its key', { create: [nameless] }, /delete its API key in Atlas/, null],
  ])('if %s, says what is left', async (_what, script, message, publicApiKey) => {
    const { run, token } = await cancelUndelivered(script);
    const ended = await end(run);
    const { deliveryId, tokenSha256 } = token;
    expect(ended).toMatchObject({
      type: 'Cancelled',
      message: expect.stringMatching(message),
      details: { deliveryId, tokenSha256, publicApiKey, sinksTried: ['files'] },
      revocations: publicApiKey === null ? 0 : 1,
    });
    expect({ publicApiKey: null, ...ended.memo }).toEqual({
      deliveryId,
      publicApiKey,
      sink: 'files',
    });
  });

  it.concurrent('refuses a redelivery, and lets callers wait for its ending', async () => {
    const gate = new Gate();
    const slow: Revocation = async (...args) =>
      withHeartbeats(gate.pass()).then(() => revoked(...args));
    const { run } = await cancelUndelivered({ revoke: [slow] });
    await untilStep(run.handle, 'revoking');
    expect(await redeliver(run.handle)).toMatchObject({ type: 'NothingToDeliver' });
    const waiting = await startWaiting(run.handle, run.request);
    gate.open();
    expect((await waiting.outcome()).type).toBe('Cancelled');
    expect(await end(run)).toMatchObject(REVOKED);
  });
});
