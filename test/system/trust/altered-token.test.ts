import { randomUUID } from 'node:crypto';
import { WorkflowFailedError } from '@temporalio/client';
import { WorkflowExecutionAlreadyStartedError } from '@temporalio/common';
import type { PrepareRequest, Receipt, SealedToken } from '../../../src/contract/schemas';
import type { TestAtlas } from '../../support/atlas';
import { FILE_SINKS, type Deployment, type Handle } from '../../support/deployment';
import { endingOf } from '../../support/ending';
import { createdToken } from '../../support/history';
import { newOrgId } from '../../support/ids';
import { deploy, startAtlas } from '../../support/setting';
import { redeliver, untilStep } from '../../support/updates';
import { startForeignWorker } from './foreign-worker';

let atlas: TestAtlas;
let deployment: Deployment;
/** Runs with a malformed recovery, cancelled before there was a worker. */
let cancelledEarly: Handle[];

beforeAll(async () => {
  atlas = await startAtlas();
  deployment = await deploy({ atlas, config: { sinks: FILE_SINKS } });
  cancelledEarly = await Promise.all(
    [
      { sealedToken: {}, sinksTried: 5 },
      { sealedToken: {}, sinksTried: [{ toString: 5 }] },
      { sealedToken: 7 },
      'x',
    ].map(async (recovery) => {
      const handle = await deployment.start(deployment.newRequest(), recovery as never);
      await handle.cancel();
      return handle;
    }),
  );
  await deployment.startWorker();
});

interface CancelledRun {
  request: PrepareRequest;
  /** As history holds it. */
  sealedToken: SealedToken;
}

async function cancelledRun(): Promise<CancelledRun> {
  const request = deployment.newRequest({ sink: 'rejects' });
  const handle = await deployment.start(request);
  await untilStep(handle, 'undelivered');
  await handle.cancel();
  expect(await endingOf(handle)).toMatchObject({ type: 'Cancelled' });
  return { request: { ...request, sink: 'files' }, sealedToken: (await createdToken(handle)) as SealedToken };
}

function recover({ request, sealedToken }: CancelledRun): Promise<Handle> {
  return deployment.start(request, { sealedToken, sinksTried: [] });
}

const OTHER_FACTS = {
  orgId: newOrgId(),
  sourceOrgId: newOrgId(),
  accessListIps: ['0.0.0.0/0'],
  credential: 'other',
  warnings: ['forged'],
  requestedBy: 'somebody else',
  changeReference: 'another change',
  deliveryId: randomUUID(),
  tokenSha256: 'a'.repeat(64),
  createdAt: '9999-12-31T23:59:59Z',
  unconfirmedTokens: 7,
};

it('every field outside the seal is altered: no effect on what is delivered, nor on the receipt', async () => {
  const { request, sealedToken } = await cancelledRun();
  const linkToken = atlas.createdTokens().at(-1)?.linkToken;
  expect(Object.keys({ jwe: '', ...OTHER_FACTS }).sort()).toEqual(Object.keys(sealedToken).sort());
  const genuine = await (await recover({ request, sealedToken })).result();
  const receipt: Receipt = { ...genuine, deliveredAt: expect.any(String) as string };
  const forged = { ...sealedToken, ...OTHER_FACTS };
  expect(await (await recover({ request, sealedToken: forged })).result()).toEqual(receipt);

  const foreigner = await startForeignWorker(deployment);
  const { workflowId } = deployment.handleOf(request);
  const call = { activity: 'deliverLinkToken', args: [forged, 'files'] };
  const { alsoTried: _, ...result } = receipt;
  expect(await foreigner.call('prepareLiveMigration', workflowId, [call])).toEqual([{ result }]);
  expect(deployment.tokens()).toEqual([linkToken]);
});

it('a forged recovery is unreadable, delivers nothing, and does not block the genuine one', async () => {
  const run = await cancelledRun();
  const { sealedToken: ofAnotherRun } = await cancelledRun();
  const filesBefore = deployment.tokenFiles();
  const [header, key, iv, ciphertext = '', tag] = run.sealedToken.jwe.split('.');
  const flipped = (ciphertext.startsWith('A') ? 'B' : 'A') + ciphertext.slice(1);
  const forgeries = ['eyJ.invented', [header, key, iv, flipped, tag].join('.'), ofAnotherRun.jwe];
  for (const jwe of forgeries) {
    const handle = await recover({ ...run, sealedToken: { ...run.sealedToken, jwe } });
    await untilStep(handle, 'undelivered');
    expect(await redeliver(handle)).toMatchObject({ type: 'SealedTokenUnreadable' });
    await handle.cancel();
    expect(await endingOf(handle)).toMatchObject({ type: 'Cancelled' });
  }
  expect(deployment.tokenFiles()).toEqual(filesBefore);

  const { deliveryId } = run.sealedToken;
  expect(await endingOf(await recover(run))).toMatchObject({ receipt: { deliveryId, sink: 'files' } });
});

it('a forged recovery cannot take the place of an open run', async () => {
  const { sealedToken } = await cancelledRun();
  const request = deployment.newRequest({ sink: 'rejects' });
  const handle = await deployment.start(request);
  const { deliveryId } = await untilStep(handle, 'undelivered');
  await expect(recover({ request, sealedToken })).rejects.toThrow(WorkflowExecutionAlreadyStartedError);
  expect(await redeliver(handle, { sink: 'files' })).toMatchObject({ receipt: { deliveryId } });
});

it('a malformed recovery: InvalidRequest that names it, and Atlas is not called', async () => {
  const { sealedToken } = await cancelledRun();
  const posts = atlas.posts().length;
  const recoveries: unknown[] = [
    7,
    'x',
    [],
    {},
    { sealedToken: {}, sinksTried: [] },
    { sealedToken, sinksTried: 'files' },
    { sealedToken: { ...sealedToken, sourceOrgId: '/../../evil' }, sinksTried: [] },
    { sealedToken, sinksTried: [], more: 1 },
  ];
  for (const recovery of recoveries) {
    const handle = await deployment.start(deployment.newRequest(), recovery as never);
    const { type, message } = await endingOf(handle);
    expect({ type, message }).toEqual({
      type: 'InvalidRequest',
      message: expect.stringMatching(/: recovery[ .]/) as string,
    });
  }
  expect(atlas.posts()).toHaveLength(posts);
});

it('a malformed recovery that is cancelled before its validation ends, and blocks nothing', async () => {
  for (const handle of cancelledEarly) await expect(handle.result()).rejects.toThrow(WorkflowFailedError);
});
