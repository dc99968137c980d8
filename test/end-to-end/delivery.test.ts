import { mkdirSync, readFileSync, rmdirSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { WORKFLOW_TYPES, workflowIdFor, type Receipt, type SealedToken } from '../../src/contract/names';
import { findUndeliveredToken } from '../../src/commands/runs';
import type { TestAtlas } from '../support/atlas';
import type { Deployment, Handle } from '../support/deployment';
import { endingOf, pendingActivity } from '../support/ending';
import { eventually } from '../support/eventually';
import { newOrgId } from '../support/ids';
import { deploy, sharedTemporal, startAtlas } from '../support/setting';

jest.setTimeout(60_000);

const GIVES_UP_SOON = { deliver: { initialIntervalMs: 20, maximumIntervalMs: 100, giveUpAfterMs: 1500 } };

let atlas: TestAtlas;
beforeAll(async () => {
  atlas = await startAtlas();
});

async function untilWaitingForSink({ workflowId }: Handle): Promise<void> {
  const { client } = await sharedTemporal();
  await eventually('an unavailable sink', async () => {
    const pending = await pendingActivity(client, workflowId);
    return pending?.type === 'deliverLinkToken' && pending.lastFailure;
  });
}

/** A run that gave up delivering, so that its token waits for redelivery. */
async function runUndelivered(deployment: Deployment): Promise<Handle> {
  rmdirSync(deployment.tokensFolder);
  const handle = await deployment.start();
  const ending = await endingOf(handle);
  expect(ending).toMatchObject({ type: 'SinkUnavailable', unconfirmedTokens: 0 });
  expect(ending.message).toMatch(/cannot be written \(ENOENT\).*; token \S+ is kept, sealed/);
  mkdirSync(deployment.tokensFolder);
  return handle;
}

async function sealedTokenOf({ workflowId }: Handle): Promise<SealedToken> {
  const { client } = await sharedTemporal();
  const found = await findUndeliveredToken(client, workflowId);
  if (!found) throw new Error('the run kept no token');
  return found.sealedToken;
}

describe('the file sink', () => {
  it('unavailable, then available: delivered, mode 0600, the token that Atlas created', async () => {
    const deployment = await deploy({ atlas });
    await deployment.startWorker();
    rmdirSync(deployment.tokensFolder);
    const handle = await deployment.start();
    await untilWaitingForSink(handle);
    mkdirSync(deployment.tokensFolder);
    const { receipt } = await endingOf(handle);
    const file = /^file (.*) on the worker's host$/.exec(receipt?.location ?? '')?.[1] ?? '';
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(readFileSync(file, 'utf8')).toBe(atlas.createdTokens().at(-1)?.linkToken);
  });

  it('never available: SinkUnavailable at the give-up time, the token kept; redeliver hands it over', async () => {
    const deployment = await deploy({ atlas, config: { retries: GIVES_UP_SOON } });
    await deployment.startWorker();
    const handle = await runUndelivered(deployment);
    const { deliveryId } = await sealedTokenOf(handle);
    const redelivered = await deployment.runClient('--json', 'redeliver', '--workflow-id', handle.workflowId);
    const { receipt } = JSON.parse(redelivered.stdout) as { receipt: Receipt };
    expect(receipt.deliveryId).toBe(deliveryId);
    expect(deployment.tokens()).toEqual([atlas.createdTokens().at(-1)?.linkToken]);
  });

  it('a path that can never work: SinkRejected at once, the token kept; redeliver to another sink hands it over', async () => {
    const deployment = await deploy({
      atlas,
      config: {
        sinks: {
          files: { type: 'file', directory: 'a-file' },
          others: { type: 'file', directory: 'tokens' },
        },
      },
    });
    writeFileSync(path.join(deployment.folder, 'a-file'), '');
    await deployment.startWorker();
    const handle = await deployment.start();
    const ending = await endingOf(handle);
    expect(ending).toMatchObject({ type: 'SinkRejected', unconfirmedTokens: 0 });
    expect(ending.message).toMatch(/a-file is not a directory: correct its path; token \S+ is kept, sealed/);
    const exit = await deployment.runClient(
      'redeliver',
      '--workflow-id',
      handle.workflowId,
      '--sink',
      'others',
    );
    expect(exit.code).toBe(0);
    expect(deployment.tokens()).toEqual([atlas.createdTokens().at(-1)?.linkToken]);
  });
});

describe('the sealing keys', () => {
  it('a run sealed with the old key is delivered after rotation', async () => {
    const deployment = await deploy({ atlas });
    const worker = await deployment.startWorker();
    rmdirSync(deployment.tokensFolder);
    const handle = await deployment.start();
    await untilWaitingForSink(handle);
    await worker.stop();
    await deployment.runClient('keys', '--file', deployment.keysFile, '--rotate');
    mkdirSync(deployment.tokensFolder);
    await deployment.startWorker();
    expect(await endingOf(handle)).toMatchObject({ type: 'delivered' });
  });

  it('a removed key: SealedTokenUnreadable that names it; with the key back redeliver works', async () => {
    const deployment = await deploy({ atlas });
    const worker = await deployment.startWorker();
    rmdirSync(deployment.tokensFolder);
    const handle = await deployment.start();
    await untilWaitingForSink(handle);
    await worker.stop();
    mkdirSync(deployment.tokensFolder);

    const keySet = readFileSync(deployment.keysFile, 'utf8');
    const { keys } = JSON.parse(keySet) as { keys: { kid: string }[] };
    const newKeysFile = path.join(deployment.folder, 'new-keys.json');
    await deployment.runClient('keys', '--file', newKeysFile);
    writeFileSync(deployment.keysFile, readFileSync(newKeysFile));
    const keyless = await deployment.startWorker();
    const ending = await endingOf(handle);
    expect(ending.type).toBe('SealedTokenUnreadable');
    expect(ending.message).toContain(`sealed with key ${keys[0]?.kid}, which the worker's key set lacks`);
    await keyless.stop();

    const newKeys = JSON.parse(readFileSync(newKeysFile, 'utf8')) as { keys: unknown[] };
    writeFileSync(deployment.keysFile, JSON.stringify({ keys: [...newKeys.keys, ...keys] }));
    await deployment.startWorker();
    const exit = await deployment.runClient('redeliver', '--workflow-id', handle.workflowId);
    expect(exit.code).toBe(0);
    expect(deployment.tokens()).toEqual([atlas.createdTokens().at(-1)?.linkToken]);
  });

  it('a sealed token copied into another workflow id does not open', async () => {
    const deployment = await deploy({ atlas, config: { retries: GIVES_UP_SOON } });
    await deployment.startWorker();
    const sealedToken = await sealedTokenOf(await runUndelivered(deployment));
    const { client } = await sharedTemporal();
    const thief = await client.workflow.start(WORKFLOW_TYPES.redeliver, {
      workflowId: workflowIdFor(sealedToken.orgId, newOrgId()),
      taskQueue: deployment.taskQueue,
      args: [{ sealedToken, sink: 'files' }],
    });
    const ending = await endingOf(thief);
    expect(ending.type).toBe('SealedTokenUnreadable');
    expect(deployment.tokens()).toEqual([]);
  });
});
