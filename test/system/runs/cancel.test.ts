import type { Fault } from '../../../dev/atlas-emulator';
import type { PrepareRequest, SealedToken } from '../../../src/contract/schemas';
import { newAccount, organizationsOf, type TestAtlas } from '../../support/atlas';
import { FILE_SINKS, type Deployment, type Handle } from '../../support/deployment';
import { endingOf, expectCounted, type Ending } from '../../support/ending';
import { eventually } from '../../support/eventually';
import { createdToken } from '../../support/history';
import { newAddress } from '../../support/ids';
import { deploy, startAtlas } from '../../support/installation';
import { startWaiting, statusOf } from '../../support/updates';
import { startWebhookReceiver, type WebhookReceiver } from '../../support/webhook-receiver';

const on = 'linkTokens';
const lost: Fault = { on, reset: 'before-body', afterCreating: true };
/** Long enough for a run to be cancelled during the POST. */
const delayMs = 4000;

let atlas: TestAtlas;
let receiver: WebhookReceiver;
let deployment: Deployment;
let beforeAnyWorker: Handle;
/** Its credential is used by one run only. */
const account = newAccount();

beforeAll(async () => {
  [atlas, receiver] = await Promise.all([startAtlas({ others: [account] }), startWebhookReceiver()]);
  const sinks = { ...FILE_SINKS, hangs: receiver.sink('hangs') };
  const others = [{ account, type: 'serviceAccount' as const }];
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

/** Starts a run with a credential of its own: no other run waits for its circuit breaker. */
function startAlone(...faults: Fault[]): Promise<Run> {
  return inTurn({ orgId: account.orgId }, faults);
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
  it.concurrent('before any worker came: CANCELLED', async () => {
    expect(await endingOf(beforeAnyWorker)).toMatchObject({ type: 'CANCELLED' });
  });
});

describe('a cancel while a token may have been created', () => {
  it.concurrent('in the back-off of the workflow after 3 lost responses: Cancelled with 3', async () => {
    const unavailable: Fault = { on, status: 503, afterCreating: true, headers: { 'Retry-After': '600' } };
    const run = await startAlone(lost, lost, unavailable);
    await eventually('the back-off', async () => (await statusOf(run.handle)).unconfirmedTokens === 3);
    const ended = await cancelled(run);
    expect(ended).toMatchObject({ type: 'Cancelled', unconfirmedTokens: 3, created: 3 });
    expect(ended.message).toMatch(/up to 3 unconfirmed tokens.*`live-migration-prep list --\w+ --org /);
    expect((await run.handle.describe()).memo).toMatchObject({ unconfirmedTokens: 3 });
  });

  it.concurrent('during a POST that is lost, with a caller waiting: Cancelled with 1 for both', async () => {
    const run = await start('files', { ...lost, delayMs });
    const waiting = await startWaiting(run.handle, run.request);
    expect(await cancelled(run)).toMatchObject({ type: 'Cancelled', unconfirmedTokens: 1, created: 1 });
    expect(await waiting.outcome()).toMatchObject({ type: 'Cancelled' });
  });

  it.concurrent('during a POST that brings a token: it is delivered', async () => {
    const run = await start('files', { on, delayMs });
    const ended = await cancelled(run);
    expect(ended).toMatchObject({ type: 'delivered', unconfirmedTokens: 0, created: 1 });
  });
});

describe('a cancel while a token waits for its sink', () => {
  it.concurrent(
    'while delivering: the attempt stops, and Cancelled names the sink that may have the token',
    async () => {
      const run = await startHanging();
      expect(await cancelled(run)).toMatchObject({
        ...ONE_RECOVERABLE_TOKEN,
        details: { sinksTried: ['hangs'] },
      });
      await eventually('the end of the request', () => receiver.hanging(run.request) === 0);
    },
  );

  it.concurrent(
    'and then recovered in a new run: delivered, nothing created, the first sink named',
    async () => {
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
  );
});
