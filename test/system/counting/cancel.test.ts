import type { Fault } from '../../../dev/atlas-emulator';
import type { PrepareRequest, SealedToken } from '../../../src/contract/schemas';
import { atOnce } from '../../support/at-once';
import { newAccount, organizationsOf, type TestAtlas } from '../../support/atlas';
import { FILE_SINKS, type Deployment, type Handle } from '../../support/deployment';
import { endingOf, expectCounted, untilBackOff, type Ending } from '../../support/ending';
import { eventually } from '../../support/eventually';
import { createdToken } from '../../support/history';
import { newAddress } from '../../support/ids';
import { deploy, startAtlas } from '../../support/setting';
import { redeliver, startWaiting, statusOf, untilStep } from '../../support/updates';
import { startWebhookReceiver, type WebhookReceiver } from '../../support/webhook-receiver';

const on = 'linkTokens';
const tooManyRequests: Fault = { on, status: 429, headers: { 'Retry-After': '600' } };
const lost: Fault = { on, reset: 'before-body', afterCreating: true };
/** Long enough for a run to be cancelled during the POST. */
const delayMs = 4000;

let atlas: TestAtlas;
let receiver: WebhookReceiver;
let deployment: Deployment;
let beforeAnyWorker: Handle;
/** Whose credentials no other run uses. */
const accounts = [newAccount(), newAccount(), newAccount()];

beforeAll(async () => {
  [atlas, receiver] = await Promise.all([startAtlas({ others: accounts }), startWebhookReceiver()]);
  const sinks = { ...FILE_SINKS, hangs: receiver.sink('hangs') };
  const others = accounts.map((account) => ({ account, type: 'serviceAccount' as const }));
  const organizations = organizationsOf(atlas, others, Object.keys(sinks));
  deployment = await deploy({
    atlas,
    env: { ...receiver.env, ...organizations.env },
    config: {
      sinks,
      atlas: organizations.atlas,
      worker: { heartbeatTimeoutMs: 20_000 },
    },
  });
  beforeAnyWorker = await deployment.start();
  await beforeAnyWorker.cancel();
  await deployment.startWorker();
});

interface Run {
  request: PrepareRequest;
  handle: Handle;
}

let turn: Promise<unknown> = Promise.resolve();

/** Faults hit whoever comes next, so runs meet theirs one after the other. Without faults: until its token is there. */
function start(sink: string, ...faults: Fault[]): Promise<Run> {
  return inTurn({ sink }, faults);
}

/** With a credential of its own: no other run waits for its circuit breaker. */
function startAlone(...faults: Fault[]): Promise<Run> {
  return inTurn({ orgId: accounts.pop()?.orgId ?? 'none is left' }, faults);
}

function inTurn(more: Partial<PrepareRequest>, faults: Fault[]): Promise<Run> {
  const started = turn.then(async () => {
    const request = deployment.newRequest({ ...more, accessListIps: [newAddress()] });
    atlas.faults(faults);
    const handle = await deployment.start(request);
    const hasMet = () =>
      faults.length > 0 ? atlas.state().faults.length === 0 : atlas.created(request) === 1;
    await eventually('the faults', hasMet);
    return { request, handle };
  });
  turn = started.catch(() => undefined);
  return started;
}

/** A run whose delivery hangs. */
async function startHanging(): Promise<Run> {
  const run = await start('hangs');
  await eventually('an attempt', () => receiver.hanging(run.request) === 1);
  return run;
}

/** The ending, and how many tokens Atlas created. */
async function ending({ request, handle }: Run): Promise<Ending & { created: number }> {
  const ended = await endingOf(handle);
  const created = atlas.created(request);
  expectCounted(ended, created);
  return { ...ended, created };
}

async function cancelled(run: Run): Promise<Ending & { created: number }> {
  await run.handle.cancel();
  return ending(run);
}

const ONE_RECOVERABLE_TOKEN = { type: 'Cancelled', unconfirmedTokens: 0, created: 1 } as const;

describe('a cancel while nothing is created', () => {
  atOnce({
    async 'before any worker came: CANCELLED'() {
      expect(await endingOf(beforeAnyWorker)).toMatchObject({ type: 'CANCELLED' });
    },

    async 'in back-off after a 429, with a caller waiting: the caller gets Cancelled, the run CANCELLED'() {
      const run = await startAlone(tooManyRequests);
      await untilBackOff(run.handle);
      const waiting = await startWaiting(run.handle, run.request);
      expect(await cancelled(run)).toMatchObject({ type: 'CANCELLED', created: 0 });
      expect(await waiting.outcome()).toMatchObject({ type: 'Cancelled' });
    },

    async 'during a POST that gets 429, with a caller waiting: the same'() {
      const run = await startAlone({ ...tooManyRequests, delayMs });
      const waiting = await startWaiting(run.handle, run.request);
      expect(await cancelled(run)).toMatchObject({ type: 'CANCELLED', created: 0 });
      expect(await waiting.outcome()).toMatchObject({ type: 'Cancelled' });
    },

    async 'during a POST that gets 403: AtlasRequestRejected, which says more'() {
      const run = await start('files', { on, status: 403, delayMs });
      expect(await cancelled(run)).toMatchObject({ type: 'AtlasRequestRejected', created: 0 });
    },
  });
});

describe('a cancel while a token may have been created', () => {
  atOnce({
    async 'in the back-off of the workflow after 3 lost responses: Cancelled with 3'() {
      const unavailable: Fault = { on, status: 503, afterCreating: true, headers: { 'Retry-After': '600' } };
      const run = await startAlone(lost, lost, unavailable);
      await eventually('the back-off', async () => (await statusOf(run.handle)).unconfirmedTokens === 3);
      const ended = await cancelled(run);
      expect(ended).toMatchObject({ type: 'Cancelled', unconfirmedTokens: 3, created: 3 });
      expect(ended.message).toMatch(/up to 3 unconfirmed tokens.*`live-migration-prep list --\w+ --org /);
      expect((await run.handle.describe()).memo).toMatchObject({ unconfirmedTokens: 3 });
    },

    async 'during a POST that is lost, with a caller waiting: Cancelled with 1 for both'() {
      const run = await start('files', { ...lost, delayMs });
      const waiting = await startWaiting(run.handle, run.request);
      expect(await cancelled(run)).toMatchObject({ type: 'Cancelled', unconfirmedTokens: 1, created: 1 });
      expect(await waiting.outcome()).toMatchObject({ type: 'Cancelled' });
    },

    async 'during a POST that brings a token: it is delivered'() {
      const run = await start('files', { on, delayMs });
      const ended = await cancelled(run);
      expect(ended).toMatchObject({ type: 'delivered', unconfirmedTokens: 0, created: 1 });
    },

    async 'during a POST that brings a token that the sink rejects: Cancelled, which names the token'() {
      const run = await start('rejects', { on, delayMs });
      const ended = await cancelled(run);
      expect(ended).toMatchObject({ ...ONE_RECOVERABLE_TOKEN, details: { sinksTried: ['rejects'] } });
      const { deliveryId, tokenSha256 } = ended.details ?? {};
      expect(ended.message).toContain(`recover --org ${run.request.orgId}`);
      expect((await run.handle.describe()).memo).toMatchObject({ deliveryId, tokenSha256 });
    },
  });
});

describe('a cancel while a token waits for its sink', () => {
  atOnce({
    async 'while delivering: the attempt stops, and Cancelled names the sink that may have the token'() {
      const run = await startHanging();
      expect(await cancelled(run)).toMatchObject({
        ...ONE_RECOVERABLE_TOKEN,
        details: { sinksTried: ['hangs'] },
      });
      await eventually('the end of the request', () => receiver.hanging(run.request) === 0);
    },

    async 'while undelivered: Cancelled, and the memo lists the run no longer'() {
      const run = await start('rejects');
      const { deliveryId } = await untilStep(run.handle, 'undelivered');
      const details = { deliveryId, sinksTried: ['rejects'] };
      expect(await cancelled(run)).toMatchObject({ ...ONE_RECOVERABLE_TOKEN, details });
      expect((await run.handle.describe()).memo).not.toHaveProperty('step');
    },

    async 'during a redelivery: its caller gets Cancelled too'() {
      const run = await start('rejects');
      await untilStep(run.handle, 'undelivered');
      const redelivery = redeliver(run.handle, { sink: 'hangs' });
      await eventually('an attempt', () => receiver.hanging(run.request) === 1);
      const details = { sinksTried: ['rejects', 'hangs'] };
      expect(await cancelled(run)).toMatchObject({ ...ONE_RECOVERABLE_TOKEN, details });
      expect(await redelivery).toMatchObject({ type: 'Cancelled' });
    },

    async 'twice: the first leads to the ending, the second adds no event'() {
      const run = await startHanging();
      await run.handle.cancel();
      await run.handle.cancel();
      expect(await ending(run)).toMatchObject(ONE_RECOVERABLE_TOKEN);
      const { events } = await run.handle.fetchHistory();
      const requests = events?.filter((event) => event.workflowExecutionCancelRequestedEventAttributes);
      expect(requests).toHaveLength(1);
    },

    async 'in the recovery of its token: Cancelled, which names the token and the sinks of both runs'() {
      const run = await startHanging();
      const { details } = await cancelled(run);
      const sealedToken = (await createdToken(run.handle)) as SealedToken;
      const recovery = { sealedToken, sinksTried: details?.sinksTried ?? [] };
      const handle = await deployment.start({ ...run.request, sink: 'rejects' }, recovery);
      await untilStep(handle, 'undelivered');
      expect(await cancelled({ ...run, handle })).toMatchObject({
        ...ONE_RECOVERABLE_TOKEN,
        details: { deliveryId: details?.deliveryId, sinksTried: ['hangs', 'rejects'] },
      });
    },

    async 'in the recovery of its token before a worker takes it: CANCELLED, and the closed run still has the token'() {
      const run = await startHanging();
      await cancelled(run);
      const sealedToken = (await createdToken(run.handle)) as SealedToken;
      const idle = await deploy({ atlas });
      const handle = await idle.start(run.request, { sealedToken, sinksTried: ['hangs'] });
      await handle.cancel();
      await idle.startWorker();
      expect((await endingOf(handle)).type).toBe('CANCELLED');
      expect((await statusOf(handle)).description).toMatch(/still recoverable from the closed run/);
      expect((await handle.describe()).memo).toEqual({});
    },

    async 'and then recovered in a new run: delivered, nothing created, the first sink named'() {
      const run = await startHanging();
      const { details } = await cancelled(run);
      const sealedToken = (await createdToken(run.handle)) as SealedToken;
      const recovery = { sealedToken, sinksTried: details?.sinksTried ?? [] };
      const handle = await deployment.start({ ...run.request, sink: 'files' }, recovery);
      expect(await ending({ ...run, handle })).toMatchObject({
        type: 'delivered',
        created: 1,
        receipt: { sink: 'files', deliveryId: details?.deliveryId, alsoTried: ['hangs'] },
      });
    },
  });
});
