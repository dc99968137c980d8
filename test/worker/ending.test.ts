import { startEmbeddedTemporal } from '../../dev/embedded-temporal';
import { credentialEnv } from '../support/atlas';
import { cleanUpLater } from '../support/clean-up';
import { createDeployment } from '../support/deployment';
import { endingOf } from '../support/ending';
import { eventually } from '../support/eventually';
import { deploy, startAtlas } from '../support/setting';

jest.setTimeout(60_000);

test.each<NodeJS.Signals>(['SIGTERM', 'SIGINT'])(
  '%s with nothing to do ends the worker with 0 at once, and its access token is given back',
  async (signal) => {
    const atlas = await startAtlas();
    const deployment = await deploy({ atlas });
    const worker = await deployment.startWorker();
    await endingOf(await deployment.start());
    const [account] = atlas.state().serviceAccounts;
    expect(account?.liveAccessTokens).toBe(1);

    const signalledAt = Date.now();
    process.kill(worker.pid, signal);
    expect(await worker.exited).toEqual({ code: 0, signal: null });
    // About a second on an idle machine; what must not be waited for is the grace time, 30 s here.
    expect(Date.now() - signalledAt).toBeLessThan(5000);
    expect(atlas.requestsOn('oauthRevoke')).toHaveLength(1);
    expect(atlas.state().serviceAccounts[0]?.liveAccessTokens).toBe(0);
    expect(worker.logged(`${signal}: draining; a second signal ends at once`)).toHaveLength(1);
    expect(worker.logged('worker stopped')).toHaveLength(1);
  },
);

test('while Temporal is gone the worker lives, is not ready, says so, and can be stopped', async () => {
  const temporal = await startEmbeddedTemporal();
  const atlas = await startAtlas();
  const deployment = createDeployment({
    temporal,
    atlasUrl: atlas.url,
    orgId: atlas.account.orgId,
    env: credentialEnv(atlas.account, 'serviceAccount'),
  });
  cleanUpLater(() => deployment.dispose());
  const worker = await deployment.startWorker();
  const get = async (path: string) => {
    const response = await fetch(worker.healthUrl() + path);
    return [response.status, await response.text()];
  };
  expect(await get('/readyz')).toEqual([200, 'ok\n']);

  await temporal.stop();
  await eventually('not ready', async () => (await get('/readyz'))[0] === 503);
  expect(await get('/readyz')).toEqual([503, 'Temporal does not answer\n']);
  expect(await get('/livez')).toEqual([200, 'ok\n']);
  expect(await worker.stop()).toEqual({ code: 0, signal: null });
});
