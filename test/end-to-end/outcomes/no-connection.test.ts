import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { generate } from 'selfsigned';
import { freePort } from '../../../dev/free-port';
import { CREDENTIAL_TYPES, newAccount, startTestAtlas, type CredentialType } from '../../support/atlas';
import { cleanUpLater } from '../../support/clean-up';
import { endingOf, pendingActivity } from '../../support/ending';
import { eventually } from '../../support/eventually';
import { deploy, sharedTemporal, startAtlas } from '../../support/setting';

jest.setTimeout(60_000);

/** Longer than the request timeout: a resolver without a network may take its time. */
const RESOLVERS_MAY_BE_SLOW = {
  create: { initialIntervalMs: 1000, maximumIntervalMs: 1000, giveUpAfterMs: 8000 },
};

describe.each(CREDENTIAL_TYPES)('no connection to Atlas, with a credential of type %s', (credential) => {
  it('connection refused, and then Atlas is there: delivered, none unconfirmed', async () => {
    const account = newAccount();
    const port = await freePort();
    const deployment = await deploy({ atlas: { url: `http://127.0.0.1:${port}`, account }, credential });
    await deployment.startWorker();
    const handle = await deployment.start();
    const { client } = await sharedTemporal();
    await eventually('a second attempt', async () => {
      const pending = await pendingActivity(client, handle.workflowId);
      return pending && pending.attempt > 1 && pending.lastFailure?.includes('ECONNREFUSED');
    });

    const atlas = await startTestAtlas({ port, account });
    cleanUpLater(() => atlas.close());
    expect(await endingOf(handle)).toMatchObject({ type: 'delivered', unconfirmedTokens: 0 });
    expect(atlas.posts()).toHaveLength(1);
  });

  it('a name that DNS does not know: AtlasUnavailable at the give-up time, none unconfirmed', async () => {
    const atlas = { url: 'http://atlas.invalid', account: newAccount() };
    const deployment = await deploy({ atlas, credential, config: { retries: RESOLVERS_MAY_BE_SLOW } });
    await deployment.startWorker();
    const ending = await endingOf(await deployment.start());
    expect(ending).toMatchObject({ type: 'AtlasUnavailable', unconfirmedTokens: 0 });
    expect(ending.message).toMatch(/no connection to Atlas \((TIMEOUT|ENOTFOUND|EAI_AGAIN)\)/);
  });

  it('an invalid certificate: AtlasUnavailable at once, none unconfirmed, no request', async () => {
    const { atlas } = await startHttpsAtlas();
    const deployment = await deploy({ atlas, credential });
    await deployment.startWorker();
    const ending = await endingOf(await deployment.start());
    expect(ending).toMatchObject({ type: 'AtlasUnavailable', unconfirmedTokens: 0 });
    expect(ending.message).toMatch(/certificate .*DEPTH_ZERO_SELF_SIGNED_CERT.*NODE_EXTRA_CA_CERTS/);
    expect(atlas.requests()).toHaveLength(0);
  });

  it('the same certificate in NODE_EXTRA_CA_CERTS: delivered', async () => {
    expect(await deliverOverHttps(credential)).toMatchObject({ type: 'delivered', unconfirmedTokens: 0 });
  });
});

async function startHttpsAtlas() {
  const { private: key, cert } = await generate([{ name: 'commonName', value: '127.0.0.1' }], {
    extensions: [
      { name: 'basicConstraints', cA: true },
      { name: 'subjectAltName', altNames: [{ type: 7, ip: '127.0.0.1' }] },
    ],
  });
  return { atlas: await startAtlas({ https: { key, cert } }), cert };
}

async function deliverOverHttps(credential: CredentialType) {
  const { atlas, cert } = await startHttpsAtlas();
  const deployment = await deploy({ atlas, credential });
  const certFile = path.join(deployment.folder, 'authority.pem');
  writeFileSync(certFile, cert);
  await deployment.startWorker({ NODE_EXTRA_CA_CERTS: certFile });
  return endingOf(await deployment.start());
}
