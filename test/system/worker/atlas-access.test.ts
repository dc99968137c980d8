import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { devServerEnv } from '../../../dev/temporal/dev-server-env';
import { credentialEnv, startAtlas } from '../../support/atlas';
import { install } from '../../support/installation';
import { runToEnd } from '../../support/run-command';
import { endingOf } from '../../support/runs';
import { certificateFor, serveConnectProxy } from '../../support/servers';
import { sharedTemporal } from '../../support/temporal';
import { linesOf } from '../../support/worker-process';

const CLIENT = path.join(__dirname, '../../../dist/client.js');
const FAST_CLOCK = {
  NODE_OPTIONS: `--require ${path.join(__dirname, '../../support/fast-clock.cjs')}`,
};

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

it('a worker whose clock is ten minutes fast warns of it once, and so do doctor and doctor --remote', async () => {
  const { address } = await sharedTemporal();
  const atlas = await startAtlas();
  const installation = await install({ atlas });
  const worker = await installation.startWorker(FAST_CLOCK);
  for (let runs = 0; runs < 2; runs += 1) {
    expect(await endingOf(await installation.start())).toMatchObject({ type: 'delivered' });
  }
  const wrong =
    /^the clock of the worker's host is (59\d|60\d) s ahead of the clock of Atlas: correct it, /;
  const warnings = linesOf(worker).filter(({ msg }) => wrong.test(String(msg)));
  expect(warnings).toMatchObject([{ level: 'warn' }]);

  const finding =
    /^warning +clock: the clock of the worker's host is (59\d|60\d) s ahead of the clock of Atlas: /m;
  const env = {
    ...devServerEnv(address),
    MONGODB_ATLAS_BASE_URL: atlas.url,
    ...credentialEnv(atlas.account),
  };
  const doctor = (more: object) =>
    runToEnd(process.execPath, [CLIENT, 'doctor', '--config', installation.configFile], {
      ...env,
      ...more,
    });
  expect((await doctor(FAST_CLOCK)).stdout).toMatch(finding);
  expect((await doctor({})).stdout).toMatch(/^ok +clock: it agrees with the clock of Atlas$/m);
  expect((await installation.runClient('doctor', '--remote')).stdout).toMatch(finding);
});
