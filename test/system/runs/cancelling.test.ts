import { WorkflowFailedError } from '@temporalio/client';
import { ApplicationFailure, CancelledFailure } from '@temporalio/common';
import type { Fault } from '../../../dev/atlas-emulator';
import type { FailureDetails } from '../../../src/contract/schemas';
import { atOnce } from '../../support/at-once';
import type { TestAtlas } from '../../support/atlas';
import type { Handle } from '../../support/deployment';
import { endingOf, pendingActivity } from '../../support/ending';
import { eventually } from '../../support/eventually';
import { deploy, sharedTemporal, startAtlas } from '../../support/setting';
import { startWaiting, untilStep } from '../../support/updates';

jest.setTimeout(120_000);

const on = 'linkTokens';
const SLOW = { on, delayMs: 2500 } as const;

/** How a cancelled run ended. */
async function cancelledEnding(handle: Handle): Promise<'CANCELLED' | FailureDetails> {
  const error: unknown = await handle.result().catch((failed: unknown) => failed);
  const cause = error instanceof WorkflowFailedError ? error.cause : error;
  if (cause instanceof CancelledFailure) return 'CANCELLED';
  if (cause instanceof ApplicationFailure && cause.type === 'Cancelled') {
    return cause.details?.[0] as FailureDetails;
  }
  throw error;
}

async function setScene(faults: Fault | Fault[], config = {}) {
  const atlas = await startAtlas();
  atlas.faults(faults);
  const deployment = await deploy({
    atlas,
    config: {
      sinks: {
        files: { type: 'file', directory: 'tokens' },
        broken: { type: 'file', directory: 'sealing-keys.json' },
        away: { type: 'file', directory: 'away' },
      },
      ...config,
    },
  });
  const worker = await deployment.startWorker();
  return { atlas, deployment, worker };
}

const untilPosts = (atlas: TestAtlas, count: number) =>
  eventually(`${count} POSTs`, () => atlas.posts().length >= count, 60_000);

async function untilBackOff(handle: Handle): Promise<void> {
  const { client } = await sharedTemporal();
  await eventually('a wait for the next attempt', async () => {
    const pending = await pendingActivity(client, handle.workflowId);
    return pending && pending.attempt > 1;
  });
}

describe('a cancelled run', () => {
  atOnce({
    async 'in back-off after 429 ends CANCELLED: nothing was created'() {
      const { atlas, deployment } = await setScene({ on, status: 429, headers: { 'Retry-After': '600' } });
      const handle = await deployment.start();
      await untilBackOff(handle);
      await handle.cancel();
      expect(await cancelledEnding(handle)).toBe('CANCELLED');
      expect(atlas.createdTokens()).toEqual([]);
    },

    async 'in back-off after lost responses ends Cancelled with as many as were created'() {
      const { atlas, deployment } = await setScene(
        { on, status: 500, afterCreating: true, times: 1000 },
        {
          retries: { create: { initialIntervalMs: 20, maximumIntervalMs: 600_000, backoffCoefficient: 100 } },
        },
      );
      const handle = await deployment.start();
      await untilPosts(atlas, 2);
      await handle.cancel();
      const ending = await cancelledEnding(handle);
      expect(ending).toMatchObject({ unconfirmedTokens: atlas.createdTokens().length, deliveryId: null });
    },

    async 'during a POST that brings a token delivers it'() {
      const { atlas, deployment } = await setScene(SLOW);
      const handle = await deployment.start();
      await untilPosts(atlas, 1);
      await handle.cancel();
      expect(await endingOf(handle)).toMatchObject({ type: 'delivered', unconfirmedTokens: 0 });
      expect(deployment.tokens()).toEqual(atlas.createdTokens().map(({ linkToken }) => linkToken));
    },

    async 'during a POST that brings a token names it when the sink rejects it'() {
      const { atlas, deployment } = await setScene(SLOW);
      const handle = await deployment.start(deployment.newRequest({ sink: 'broken' }));
      await untilPosts(atlas, 1);
      await handle.cancel();
      expect(await cancelledEnding(handle)).toMatchObject({
        unconfirmedTokens: 0,
        deliveryId: expect.any(String) as unknown,
        tokenSha256: expect.any(String) as unknown,
      });
      expect(atlas.createdTokens()).toHaveLength(1);
      expect(deployment.tokens()).toEqual([]);
    },

    async 'during a POST that gets 429 ends CANCELLED, and its waiting caller gets Cancelled'() {
      const { atlas, deployment } = await setScene({ ...SLOW, status: 429 });
      const request = deployment.newRequest();
      const handle = await deployment.start(request);
      const waiting = await startWaiting(handle, request);
      await untilPosts(atlas, 1);
      await handle.cancel();
      expect(await cancelledEnding(handle)).toBe('CANCELLED');
      expect(await waiting.outcome()).toMatchObject({ type: 'Cancelled' });
    },

    async 'during a POST whose response is lost counts it'() {
      const { atlas, deployment } = await setScene({ ...SLOW, status: 500, afterCreating: true });
      const handle = await deployment.start();
      await untilPosts(atlas, 1);
      await handle.cancel();
      expect(await cancelledEnding(handle)).toMatchObject({ unconfirmedTokens: 1, deliveryId: null });
    },

    async 'while it is undelivered names the token; a second cancel changes nothing'() {
      const { atlas, deployment } = await setScene([]);
      const handle = await deployment.start(deployment.newRequest({ sink: 'broken' }));
      const { deliveryId } = await untilStep(handle, 'undelivered');
      await handle.cancel();
      await handle.cancel().catch(() => undefined);
      expect(await cancelledEnding(handle)).toMatchObject({ unconfirmedTokens: 0, deliveryId });
      expect((await handle.describe()).memo).toMatchObject({ deliveryId });
      expect((await handle.describe()).memo).not.toHaveProperty('step');
      expect(atlas.createdTokens()).toHaveLength(1);
    },

    async 'while it delivers names the token, which a run with its sealed token delivers'() {
      const { atlas, deployment } = await setScene([], {
        retries: { deliver: { initialIntervalMs: 20, maximumIntervalMs: 100, roundMs: 600_000 } },
      });
      const handle = await deployment.start(deployment.newRequest({ sink: 'away' }));
      await untilBackOff(handle);
      await handle.cancel();
      const { runId } = await handle.describe();
      expect(await cancelledEnding(handle)).toMatchObject({ deliveryId: expect.any(String) as unknown });

      const redeliver = await deployment.runClient(
        ...['--json', 'redeliver', '--workflow-id', handle.workflowId, '--run-id', runId, '--sink', 'files'],
      );
      expect({ ...redeliver, stdout: JSON.parse(redeliver.stdout) as unknown }).toMatchObject({
        code: 0,
        stdout: { receipt: { sink: 'files' } },
      });
      expect(deployment.tokens()).toEqual(atlas.createdTokens().map(({ linkToken }) => linkToken));
    },
  });
});

describe('a token survives', () => {
  atOnce({
    async 'SIGTERM during the POST: the worker waits for the response, the next one delivers'() {
      const { atlas, deployment, worker } = await setScene(SLOW, {
        sinks: { files: { type: 'file', directory: 'tokens' } },
      });
      const handle = await deployment.start();
      await untilPosts(atlas, 1);
      expect(await worker.stop()).toEqual({ code: 0, signal: null });
      await deployment.startWorker();
      expect(await endingOf(handle)).toMatchObject({ type: 'delivered', unconfirmedTokens: 0 });
      expect(deployment.tokens()).toEqual(atlas.createdTokens().map(({ linkToken }) => linkToken));
    },

    async 'SIGKILL while the run is undelivered: redelivery by the next worker'() {
      const { atlas, deployment, worker } = await setScene([]);
      const handle = await deployment.start(deployment.newRequest({ sink: 'broken' }));
      await untilStep(handle, 'undelivered');
      await worker.kill();
      await deployment.startWorker();
      await handle.executeUpdate('redeliver', { args: [{ sink: 'files' }] });
      expect(await endingOf(handle)).toMatchObject({ type: 'delivered', unconfirmedTokens: 0 });
      expect(deployment.tokens()).toEqual(atlas.createdTokens().map(({ linkToken }) => linkToken));
    },
  });
});
