import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { startAtlas } from '../../support/atlas';
import { install } from '../../support/installation';
import { endingOf } from '../../support/runs';
import { certificateFor, serveConnectProxy } from '../../support/servers';

it('a run reaches Atlas through HTTPS_PROXY, and trusts the authority in NODE_EXTRA_CA_CERTS', async () => {
  const [https, proxy] = await Promise.all([certificateFor(), serveConnectProxy()]);
  const atlas = await startAtlas({ https });
  const installation = await install({ atlas });
  const authority = path.join(installation.folder, 'authority.pem');
  writeFileSync(authority, https.cert);
  await installation.startWorker({ HTTPS_PROXY: proxy.url, NODE_EXTRA_CA_CERTS: authority });
  expect(await endingOf(await installation.start())).toMatchObject({
    type: 'delivered',
    unconfirmedTokens: 0,
  });
  expect(new Set(proxy.tunnels)).toEqual(new Set([new URL(atlas.url).host]));
});
