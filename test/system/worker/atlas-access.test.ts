import { writeFileSync } from 'node:fs';
import path from 'node:path';
import type { PrepareRequest } from '../../../src/contract/schemas';
import { newAccount, seedOf, startAtlas, type TestAtlas } from '../../support/atlas';
import { eventually } from '../../support/eventually';
import { deploy, type Deployment } from '../../support/installation';
import { endingOf, pendingActivity } from '../../support/runs';
import type { WorkerProcess } from '../../support/worker-process';

const payments = newAccount();
const archive = newAccount();
const rotated = newAccount();

let atlas: TestAtlas;
let deployment: Deployment;
let worker: WorkerProcess;
let secretFile: string;

beforeAll(async () => {
  atlas = await startAtlas();
  atlas.seed(seedOf([atlas.account, payments, archive, rotated]));
  deployment = await deploy({
    atlas,
    config: {
      atlas: {
        credentials: {
          payments: {
            type: 'serviceAccount',
            clientId: { env: 'PAYMENTS_ID' },
            clientSecret: { env: 'PAYMENTS_SECRET' },
          },
          archive: {
            type: 'apiKey',
            publicKey: { env: 'ARCHIVE_PUBLIC_KEY' },
            privateKey: { env: 'ARCHIVE_PRIVATE_KEY' },
          },
          rotated: {
            type: 'serviceAccount',
            clientId: { env: 'ROTATED_ID' },
            clientSecret: { file: 'client-secret' },
          },
        },
        organizations: {
          [payments.orgId]: { credential: 'payments', sinks: ['files'] },
          [archive.orgId]: { credential: 'archive', sinks: ['files', 'vault'] },
          [rotated.orgId]: { credential: 'rotated', sinks: ['files'] },
        },
      },
      sinks: { files: { type: 'file', directory: 'tokens' }, vault: { type: 'file', directory: 'tokens' } },
    },
    env: {
      PAYMENTS_ID: payments.clientId,
      PAYMENTS_SECRET: payments.clientSecret,
      ARCHIVE_PUBLIC_KEY: archive.publicKey,
      ARCHIVE_PRIVATE_KEY: archive.privateKey,
      ROTATED_ID: rotated.clientId,
    },
  });
  // Only the file holds this secret.
  secretFile = path.join(deployment.folder, 'client-secret');
  writeFileSync(secretFile, `${rotated.clientSecret}\n`, { mode: 0o600 });
  worker = await deployment.startWorker();
});

test('with a map of organizations each is served by its own credential and sinks, and no other is served', async () => {
  const unmapped = atlas.account;
  const run = async (more: Partial<PrepareRequest>) =>
    endingOf(await deployment.start(deployment.newRequest(more)));

  const refused: [request: Partial<PrepareRequest>, problem: string][] = [
    // The credential of the environment could serve it.
    [{ orgId: unmapped.orgId }, `orgId ${unmapped.orgId} has no credential in the worker's configuration`],
    [
      { orgId: payments.orgId, sink: 'vault' },
      'sink "vault" is not a sink of this organization: write one of files',
    ],
  ];
  for (const [request, problem] of refused) {
    const { type, message } = await run(request);
    expect({ type, message }).toEqual({
      type: 'InvalidRequest',
      message: expect.stringContaining(problem),
    });
  }
  expect(atlas.requests()).toEqual([]);

  const served: [request: Partial<PrepareRequest>, credential: string, identity: string][] = [
    [{ orgId: payments.orgId }, 'payments', payments.clientId],
    [{ orgId: archive.orgId, sink: 'vault' }, 'archive', archive.publicKey],
  ];
  for (const [request, credential, identity] of served) {
    const { receipt } = await run(request);
    expect(receipt).toMatchObject({ ...request, credential });
    expect(atlas.createdTokens().at(-1)).toMatchObject({ orgId: request.orgId, credential: identity });
  }
});

test('a rotated client secret is picked up from its file by the running worker, and the run under way finishes', async () => {
  const before = atlas.requestsOn('oauth').length;
  atlas.faults({ on: 'linkTokens', status: 429, times: 10_000 });
  const handle = await deployment.start(deployment.newRequest({ orgId: rotated.orgId }));
  await eventually('a failed attempt with the first secret', async () => {
    const pending = await pendingActivity(handle);
    return pending?.lastFailure?.includes('429');
  });

  const { clientSecret } = newAccount();
  writeFileSync(secretFile, `${clientSecret}\n`);
  atlas.seed(seedOf([{ ...rotated, clientSecret }]));
  atlas.expire('accessTokens');
  atlas.clearFaults();
  expect(await endingOf(handle)).toMatchObject({ type: 'delivered', unconfirmedTokens: 0 });
  expect(
    atlas
      .requestsOn('oauth')
      .slice(before)
      .map(({ status }) => status),
  ).toEqual([200, 200]);
  expect(worker.output()).not.toContain(clientSecret);
});
