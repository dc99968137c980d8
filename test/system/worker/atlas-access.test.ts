import { writeFileSync } from 'node:fs';
import path from 'node:path';
import type { PrepareRequest } from '../../../src/contract/schemas';
import { newAccount, seedOf, startAtlas, type TestAtlas } from '../../support/atlas';
import { eventually } from '../../support/eventually';
import { deploy, type Deployment } from '../../support/installation';
import { endingOf, pendingActivity } from '../../support/runs';
import { certificateFor, serveConnectProxy } from '../../support/servers';
import type { WorkerProcess } from '../../support/worker-process';

const archive = newAccount();
const rotated = newAccount();

let atlas: TestAtlas;
let deployment: Deployment;
let worker: WorkerProcess;
let secretFile: string;

beforeAll(async () => {
  atlas = await startAtlas({ others: [archive, rotated] });
  const file = { type: 'file', directory: 'tokens' };
  deployment = await deploy({
    atlas,
    config: {
      atlas: {
        credentials: {
          archive: { type: 'apiKey', publicKey: { env: 'PUBLIC' }, privateKey: { env: 'PRIVATE' } },
          rotated: {
            type: 'serviceAccount',
            clientId: { env: 'ROTATED_ID' },
            clientSecret: { file: 'client-secret' },
          },
        },
        organizations: {
          [archive.orgId]: { credential: 'archive', sinks: ['files', 'vault'] },
          [rotated.orgId]: { credential: 'rotated', sinks: ['files'] },
        },
      },
      sinks: { files: file, vault: file },
    },
    env: { PUBLIC: archive.publicKey, PRIVATE: archive.privateKey, ROTATED_ID: rotated.clientId },
  });
  // Only the file holds this secret.
  secretFile = path.join(deployment.folder, 'client-secret');
  writeFileSync(secretFile, `${rotated.clientSecret}\n`, { mode: 0o600 });
  worker = await deployment.startWorker();
});

test('with a map of organizations each is served by its own credential and sinks, and no other is served', async () => {
  const run = async (more: Partial<PrepareRequest>) =>
    endingOf(await deployment.start(deployment.newRequest(more)));

  // The credential of the environment could serve the first.
  for (const refused of [{}, { orgId: rotated.orgId, sink: 'vault' }])
    expect(await run(refused)).toMatchObject({ type: 'InvalidRequest' });
  expect(atlas.requests()).toEqual([]);

  const served: [request: Partial<PrepareRequest>, credential: string, identity: string][] = [
    [{ orgId: rotated.orgId }, 'rotated', rotated.clientId],
    [{ orgId: archive.orgId, sink: 'vault' }, 'archive', archive.publicKey],
  ];
  for (const [request, credential, identity] of served) {
    const { receipt } = await run(request);
    expect(receipt).toMatchObject({ ...request, credential });
    expect(atlas.createdTokens().at(-1)).toMatchObject({ orgId: request.orgId, credential: identity });
  }
});

test('a rotated client secret is picked up from its file by the running worker, and the run under way finishes', async () => {
  atlas.faults({ on: 'linkTokens', status: 429, times: 10_000 });
  const handle = await deployment.start(deployment.newRequest({ orgId: rotated.orgId }));
  await eventually('a failed attempt with the first secret', async () => {
    const pending = await pendingActivity(handle);
    return pending?.lastFailure?.includes('429');
  });

  const { clientSecret } = newAccount();
  const before = atlas.requestsOn('oauth').length;
  writeFileSync(secretFile, `${clientSecret}\n`);
  atlas.seed(seedOf([{ ...rotated, clientSecret }]));
  atlas.expire('accessTokens');
  atlas.clearFaults();
  expect(await endingOf(handle)).toMatchObject({ type: 'delivered', unconfirmedTokens: 0 });
  expect(atlas.requestsOn('oauth').slice(before)).toMatchObject([{ status: 200 }]);
  expect(worker.output()).not.toContain(clientSecret);
});

test('a run reaches Atlas through HTTPS_PROXY, and trusts the authority in NODE_EXTRA_CA_CERTS', async () => {
  const [https, proxy] = await Promise.all([certificateFor(), serveConnectProxy()]);
  const secure = await startAtlas({ https });
  const proxied = await deploy({ atlas: secure });
  const authority = path.join(proxied.folder, 'authority.pem');
  writeFileSync(authority, https.cert);
  await proxied.startWorker({ HTTPS_PROXY: proxy.url, NODE_EXTRA_CA_CERTS: authority });
  expect(await endingOf(await proxied.start())).toMatchObject({ type: 'delivered', unconfirmedTokens: 0 });
  expect(new Set(proxy.tunnels)).toEqual(new Set([new URL(secure.url).host]));
});
