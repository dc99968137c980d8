import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { generate } from 'selfsigned';
import { freePort } from '../../../dev/temporal/free-port';
import { atOnce } from '../../support/at-once';
import {
  newAccount,
  organizationsOf,
  startTestAtlas,
  type AtlasAccount,
  type TestAtlas,
} from '../../support/atlas';
import { cleanUpLater } from '../../support/clean-up';
import { endingOf, pendingActivity, type Ending } from '../../support/ending';
import { eventually } from '../../support/eventually';
import { deploy, startAtlas } from '../../support/installation';

/**
 * A resolver without a network may take as long as the request timeout, and on a busy machine the first attempt starts
 * late.
 */
const GIVES_UP_SOON = {
  atlas: { requestTimeoutMs: 1000 },
  retries: { create: { initialIntervalMs: 6000, maximumIntervalMs: 6000, giveUpAfterMs: 15_000 } },
};

describe('without a connection to Atlas none is unconfirmed', () => {
  atOnce({
    async 'refused, and then Atlas is there: delivered, as a service account and as an API key'() {
      const [account, other] = [newAccount(), newAccount()];
      const port = await freePort();
      const atlasToBe = { url: `http://127.0.0.1:${port}`, account };
      const { atlas: section, env } = organizationsOf(
        atlasToBe,
        [{ account: other, type: 'apiKey' }],
        ['files'],
      );
      const deployment = await deploy({ atlas: atlasToBe, config: { atlas: section }, env });
      await deployment.startWorker();
      const start = ({ orgId }: AtlasAccount) => deployment.start(deployment.newRequest({ orgId }));
      const handles = await Promise.all([account, other].map(start));
      for (const handle of handles)
        await eventually('a second attempt', async () => {
          const pending = await pendingActivity(handle);
          return pending && pending.attempt > 1 && pending.lastFailure?.includes('ECONNREFUSED');
        });

      const atlas = await startTestAtlas({ port, account, others: [other] });
      cleanUpLater(() => atlas.close());
      for (const handle of handles)
        expect(await endingOf(handle)).toMatchObject({ type: 'delivered', unconfirmedTokens: 0 });
      expect(atlas.posts()).toHaveLength(handles.length);
    },

    async 'a name that DNS does not know: AtlasUnavailable after the deadline'() {
      const atlas = { url: 'http://atlas.invalid', account: newAccount() };
      const deployment = await deploy({ atlas, config: GIVES_UP_SOON });
      await deployment.startWorker();
      const ending = await endingOf(await deployment.start());
      expect(ending).toMatchObject({ type: 'AtlasUnavailable', unconfirmedTokens: 0 });
      expect(ending.message).toMatch(
        /no connection to Atlas at http:\/\/atlas\.invalid \((TIMEOUT|ENOTFOUND|EAI_AGAIN)\)/,
      );
    },

    async 'an invalid certificate: AtlasUnavailable at once, no request; with NODE_EXTRA_CA_CERTS: delivered'() {
      const { atlas, cert } = await startHttpsAtlas();
      const ending = await endOverHttps(atlas);
      expect(ending).toMatchObject({ type: 'AtlasUnavailable', unconfirmedTokens: 0 });
      expect(ending.message).toMatch(/certificate .*DEPTH_ZERO_SELF_SIGNED_CERT.*NODE_EXTRA_CA_CERTS/);
      expect(atlas.requests()).toHaveLength(0);

      expect(await endOverHttps(atlas, cert)).toMatchObject({ type: 'delivered', unconfirmedTokens: 0 });
    },
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

/** How a run ends whose worker trusts this certificate, if any. */
async function endOverHttps(atlas: TestAtlas, cert?: string): Promise<Ending> {
  const deployment = await deploy({ atlas });
  const certFile = path.join(deployment.folder, 'authority.pem');
  if (cert) writeFileSync(certFile, cert);
  await deployment.startWorker(cert ? { NODE_EXTRA_CA_CERTS: certFile } : {});
  return endingOf(await deployment.start());
}
