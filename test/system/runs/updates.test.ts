import { mkdirSync, readdirSync } from 'node:fs';
import path from 'node:path';
import type { TestAtlas } from '../../support/atlas';
import { FILE_SINKS, type Deployment, type Handle } from '../../support/deployment';
import { endingOf } from '../../support/ending';
import { eventually } from '../../support/eventually';
import { newAddress } from '../../support/ids';
import { deploy, sharedTemporal, startAtlas } from '../../support/installation';
import { replayRun } from '../../support/replay';
import { temporalCli } from '../../support/temporal-cli';
import { redeliver, startAndAwait, statusOf, untilStep } from '../../support/updates';
import { startWebhookReceiver, type WebhookReceiver } from '../../support/webhook-receiver';

let atlas: TestAtlas;
let receiver: WebhookReceiver;
let deployment: Deployment;

beforeAll(async () => {
  [atlas, receiver] = await Promise.all([startAtlas(), startWebhookReceiver()]);
  const sinks = {
    ...FILE_SINKS,
    forbidden: { type: 'file', directory: 'forbidden' },
    stores: receiver.sink('stores-then-503'),
    hangs: receiver.sink('hangs'),
  };
  const permitted = Object.keys(sinks).filter((name) => name !== 'forbidden');
  deployment = await deploy({
    atlas,
    env: receiver.env,
    config: {
      sinks,
      atlas: { organizations: { [atlas.account.orgId]: { credential: 'default', sinks: permitted } } },
    },
  });
  mkdirSync(path.join(deployment.folder, 'forbidden'));
  await deployment.startWorker();
});

async function undelivered(request = deployment.newRequest({ sink: 'rejects' })): Promise<Handle> {
  const handle = await deployment.start(request);
  await untilStep(handle, 'undelivered');
  return handle;
}

/** Where copies of the token of a run are. */
async function copiesOf(handle: Handle): Promise<string[]> {
  const { deliveryId } = await statusOf(handle);
  return deployment.tokenFiles().filter((name) => name.includes(String(deliveryId)));
}

describe('redeliver', () => {
  it.concurrent(
    'to a sink that nobody has: its failure at once; then to another: the receipt names the sink that was called',
    async () => {
      const handle = await undelivered();
      const outcome = await redeliver(handle, { sink: 'typo' });
      expect(outcome.type).toBe('SinkUnavailable');
      expect(outcome.message).toContain('no sink "typo": add it to the configuration');
      const { step, description } = await statusOf(handle);
      expect(step).toBe('undelivered');
      expect(description).toMatch(
        /^SinkUnavailable: redelivery to sink typo: this worker has no sink "typo".*; sink rejects: .* is not a directory/,
      );
      const { receipt } = await redeliver(handle, { sink: 'files' });
      expect(receipt).toMatchObject({ sink: 'files', alsoTried: ['rejects'] });
      expect(await endingOf(handle)).toMatchObject({ type: 'delivered', receipt });
    },
  );

  it.concurrent(
    'to a sink that the organization may not use: SinkRejected, and the sink gets nothing',
    async () => {
      const handle = await undelivered();
      const outcome = await redeliver(handle, { sink: 'forbidden' });
      expect(outcome.type).toBe('SinkRejected');
      expect(outcome.message).toContain('sink forbidden is not permitted');
      expect(readdirSync(path.join(deployment.folder, 'forbidden'))).toEqual([]);
      expect(await statusOf(handle)).toMatchObject({ step: 'undelivered' });
    },
  );

  it.concurrent(
    'while an attempt hangs: delivered once the attempt has stopped; the receipt names its sink',
    async () => {
      const request = deployment.newRequest({ sink: 'hangs' });
      const handle = await deployment.start(request);
      await eventually('an attempt', () => receiver.hanging(request) === 1);
      const { receipt } = await redeliver(handle, { sink: 'files' });
      expect(receipt).toMatchObject({ sink: 'files', alsoTried: ['hangs'] });
      expect(receiver.hanging(request)).toBe(0);
    },
  );

  it.concurrent('stored, then 503, then delivered to another sink: the receipt names the first', async () => {
    const handle = await undelivered(deployment.newRequest({ sink: 'stores' }));
    const { receipt } = await redeliver(handle, { sink: 'files' });
    expect(receipt).toMatchObject({ sink: 'files', alsoTried: ['stores'] });
    const [file = ''] = await copiesOf(handle);
    expect(receipt?.location).toContain(file);
  });

  it.concurrent('by the Temporal command line: an undelivered token is delivered', async () => {
    const handle = await undelivered();
    const update = async (...input: string[]) => {
      const { address } = await sharedTemporal();
      const target = ['--workflow-id', handle.workflowId, '--name', 'redeliver'];
      return temporalCli(address, 'workflow', 'update', 'execute', ...target, ...input);
    };
    expect((await update()).stderr).toContain('is not a directory: correct its path');
    const { code, stdout } = await update('--input', '{"sink": "files"}');
    expect({ code, stdout }).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('alsoTried'),
    });
    expect(await endingOf(handle)).toMatchObject({ receipt: { sink: 'files' } });
    expect(await copiesOf(handle)).toHaveLength(1);
  });
});

describe('awaitDelivery', () => {
  it.concurrent(
    'with a start of an invalid request: InvalidRequest, for the caller as for the run',
    async () => {
      const request = deployment.newRequest({ sink: 'nowhere', accessListIps: [newAddress()] });
      const handle = deployment.handleOf(request);
      const { type, message } = await startAndAwait(deployment, request);
      expect(type).toBe('InvalidRequest');
      expect(await endingOf(handle)).toMatchObject({ type, message });
      expect(atlas.created(request)).toBe(0);
      await replayRun(handle);
    },
  );

  it.concurrent('with a start of another request: refused, and the run goes on', async () => {
    const request = deployment.newRequest({ accessListIps: [newAddress()] });
    const handle = deployment.handleOf(request);
    const other = { ...request, sink: 'rejects' };
    expect(await startAndAwait(deployment, request, other)).toMatchObject({ type: 'DifferentRequest' });
    expect(await endingOf(handle)).toMatchObject({ type: 'delivered' });
    expect(atlas.created(request)).toBe(1);
    await replayRun(handle);
  });
});

describe('a delivery goes on by itself', () => {
  it('undelivered when a round ends; delivered in the next one, once the sink is repaired', async () => {
    const own = await deploy({
      atlas,
      config: {
        sinks: { later: { type: 'file', directory: 'later' } },
        retries: { deliver: { initialIntervalMs: 50, roundMs: 1000, firstPauseMs: 3000 } },
      },
    });
    await own.startWorker();
    const handle = await own.start(own.newRequest({ sink: 'later' }));
    const { nextTryAt } = await untilStep(handle, 'undelivered');
    expect(nextTryAt).not.toBeNull();
    mkdirSync(path.join(own.folder, 'later'));
    expect(await endingOf(handle)).toMatchObject({ receipt: { sink: 'later', alsoTried: [] } });
    expect(Date.parse(String(nextTryAt))).toBeLessThanOrEqual(
      (await handle.describe()).closeTime?.getTime() ?? 0,
    );
  });
});
