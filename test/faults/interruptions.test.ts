import { mkdirSync, renameSync, rmdirSync } from 'node:fs';
import { WorkflowFailedError } from '@temporalio/client';
import { CancelledFailure } from '@temporalio/common';
import type { Fault } from '../../dev/atlas-emulator';
import { STATUS_QUERY, type Receipt, type Status } from '../../src/contract/names';
import { findUndeliveredToken } from '../../src/commands/runs';
import type { TestAtlas } from '../support/atlas';
import { atOnce } from '../support/at-once';
import type { Deployment, Handle } from '../support/deployment';
import { endingOf, pendingActivity } from '../support/ending';
import { eventually } from '../support/eventually';
import { deploy, sharedTemporal, startAtlas } from '../support/setting';

jest.setTimeout(120_000);

const on = 'linkTokens';
/** Longer than the client takes to start on a busy machine. */
const SLOW: Fault = { on, delayMs: 6000 };

describe('a token survives', () => {
  atOnce({
    async 'SIGTERM during the POST: the answer is waited for, the next worker delivers, none unconfirmed'() {
      const { atlas, deployment, worker } = await setScene(SLOW);
      const handle = await deployment.start();
      await untilPosted(atlas);
      expect(await worker.stop()).toEqual({ code: 0, signal: null });
      expect(await keptToken(handle)).toMatchObject({ unconfirmedTokens: 0 });

      await deployment.startWorker();
      expect(await endingOf(handle)).toMatchObject({ type: 'delivered', unconfirmedTokens: 0 });
      expectOneToken(atlas, deployment);
    },

    async '`cancel` during the POST: CANCELLED, the token kept; `redeliver` delivers it, none unconfirmed'() {
      const { atlas, deployment } = await setScene(SLOW);
      const handle = await deployment.start();
      await untilPosted(atlas);
      const cancel = await deployment.runClient('cancel', '--workflow-id', handle.workflowId);
      expect(cancel).toMatchObject({ code: 0, stderr: '' });
      await expectCancelled(handle);
      expect(deployment.tokens()).toEqual([]);

      await expectRedelivered(deployment, handle, 0);
      expectOneToken(atlas, deployment);
    },

    async '`cancel` during a POST that fails: CANCELLED, and the status counts it'() {
      const { atlas, deployment } = await setScene({ ...SLOW, status: 500 });
      const handle = await deployment.start();
      await untilPosted(atlas);
      await handle.cancel();
      await expectCancelled(handle);
      expect(await statusOf(handle)).toEqual({
        step: 'cancelled',
        description: 'cancelled; Atlas may have created 1 token(s) unseen',
        unconfirmedTokens: 1,
      });
    },

    async '`cancel` between two attempts: the status says that the count is not known'() {
      const { atlas, deployment } = await setScene(
        { on, status: 500, times: 1000 },
        { retries: { create: { initialIntervalMs: 60_000 } } },
      );
      const handle = await deployment.start();
      await untilPosted(atlas);
      await untilWaiting(handle);
      await handle.cancel();
      await expectCancelled(handle);
      const status = await statusOf(handle);
      expect(status).toMatchObject({ step: 'cancelled', unconfirmedTokens: null });
      expect(status.description).toMatch(/not known here: look at the attempts of createLinkToken/);
    },

    async '`cancel` while the sink is unavailable: CANCELLED, the token kept; `redeliver` delivers it'() {
      const { atlas, deployment } = await setScene([]);
      rmdirSync(deployment.tokensFolder);
      const handle = await deployment.start();
      await untilWaitingForSink(handle);
      await handle.cancel();
      await expectCancelled(handle);
      const status = await statusOf(handle);
      expect(status).toMatchObject({ step: 'cancelled', unconfirmedTokens: 0 });
      expect(status.description).toMatch(/token [\da-f-]{36} is kept, sealed, in this run's history/);

      mkdirSync(deployment.tokensFolder);
      await expectRedelivered(deployment, handle, 0);
      expectOneToken(atlas, deployment);
    },

    async 'kill -9 between creation and delivery: a new worker finishes, one token'() {
      const { atlas, deployment, worker } = await setScene([]);
      const elsewhere = `${deployment.tokensFolder}-elsewhere`;
      renameSync(deployment.tokensFolder, elsewhere);
      const handle = await deployment.start();
      await untilWaitingForSink(handle);
      await worker.kill();
      renameSync(elsewhere, deployment.tokensFolder);
      await deployment.startWorker();
      expect(await endingOf(handle)).toMatchObject({ type: 'delivered', unconfirmedTokens: 0 });
      expectOneToken(atlas, deployment);
    },

    async 'SIGTERM between creation and delivery: a new worker finishes, one token'() {
      const { atlas, deployment, worker } = await setScene([]);
      rmdirSync(deployment.tokensFolder);
      const handle = await deployment.start();
      await untilWaitingForSink(handle);
      expect(await worker.stop()).toEqual({ code: 0, signal: null });
      mkdirSync(deployment.tokensFolder);
      await deployment.startWorker();
      expect(await endingOf(handle)).toMatchObject({ type: 'delivered', unconfirmedTokens: 0 });
      expectOneToken(atlas, deployment);
    },
  });
});

async function setScene(faults: Fault | Fault[], config = {}) {
  const atlas = await startAtlas();
  atlas.faults(faults);
  const deployment = await deploy({ atlas, config: { atlas: { requestTimeoutMs: 30_000 }, ...config } });
  const worker = await deployment.startWorker();
  return { atlas, deployment, worker };
}

async function untilPosted(atlas: TestAtlas): Promise<void> {
  await eventually('a POST', () => atlas.posts().length === 1, 60_000);
}

async function untilWaiting(handle: Handle): Promise<void> {
  const { client } = await sharedTemporal();
  await eventually('a wait for the next attempt', async () => {
    const pending = await pendingActivity(client, handle.workflowId);
    return pending && pending.attempt > 1;
  });
}

async function untilWaitingForSink(handle: Handle): Promise<void> {
  const { client } = await sharedTemporal();
  await eventually('an unavailable sink', async () => {
    const pending = await pendingActivity(client, handle.workflowId);
    return pending?.type === 'deliverLinkToken' && pending.lastFailure?.includes('ENOENT');
  });
}

async function keptToken({ workflowId }: Handle) {
  const { client } = await sharedTemporal();
  const found = await findUndeliveredToken(client, workflowId);
  return found?.sealedToken;
}

async function expectCancelled(handle: Handle): Promise<void> {
  const error: unknown = await handle.result().catch((error: unknown) => error);
  expect(error).toBeInstanceOf(WorkflowFailedError);
  expect((error as WorkflowFailedError).cause).toBeInstanceOf(CancelledFailure);
}

function statusOf(handle: Handle): Promise<Status> {
  return handle.query<Status>(STATUS_QUERY);
}

async function expectRedelivered(
  deployment: Deployment,
  { workflowId }: Handle,
  unconfirmedTokens: number,
): Promise<void> {
  const redeliver = await deployment.runClient('--json', 'redeliver', '--workflow-id', workflowId);
  expect(redeliver).toMatchObject({ code: 0, stderr: '' });
  const { receipt } = JSON.parse(redeliver.stdout) as { receipt: Receipt };
  expect(receipt).toMatchObject({ sink: 'files', unconfirmedTokens });
}

function expectOneToken(atlas: TestAtlas, deployment: Deployment): void {
  const [created, ...others] = atlas.createdTokens();
  expect(others).toEqual([]);
  expect(deployment.tokens()).toEqual([created?.linkToken]);
}
