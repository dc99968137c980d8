import path from 'node:path';
import { embeddedEnv } from '../../dev/embedded-env';
import { freePort } from '../../dev/free-port';
import { cleanUpLater } from '../support/clean-up';
import { createDeployment, runProgram, type Config } from '../support/deployment';
import { newOrgId } from '../support/ids';
import { sharedTemporal } from '../support/setting';

jest.setTimeout(30_000);

const WORKER = path.join(__dirname, '../../dist/worker.js');

/** Runs a worker that is not to come up. */
async function start(config: Config, env: Record<string, string>) {
  const temporal = await sharedTemporal();
  const deployment = createDeployment({ temporal, atlasUrl: '', orgId: newOrgId(), env: {}, config });
  cleanUpLater(() => deployment.dispose());
  const environment = { ...embeddedEnv(temporal.address), ...env };
  return runProgram(WORKER, ['--config', deployment.configFile], environment);
}

describe('a worker that cannot start', () => {
  it('tells every problem in one answer, each with its place and mend, on standard error alone', async () => {
    const { code, stdout, stderr } = await start(
      {
        colour: 'blue',
        atlas: { requestTimeoutMs: 'soon' },
        sinks: { files: { type: 'fax' } },
        sealing: {},
        health: { port: 70_000 },
      },
      { MONGODB_ATLAS_BASE_URL: 'cloud.mongodb.com', MONGODB_ATLAS_CLIENT_ID: newOrgId() },
    );
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toMatch(
      /^live-migration-prep-worker: the configuration has 7 problem\(s\):\n( {2}- .*\n){7}$/,
    );
    for (const problem of [
      /:\d+ atlas: environment variable MONGODB_ATLAS_BASE_URL is not the address of a server, such as https:/,
      /:\d+ atlas.*: environment variable MONGODB_ATLAS_CLIENT_SECRET is not set/,
      /:\d+ atlas\.requestTimeoutMs: /,
      /:\d+ colour: is not a setting: remove it, or correct its name$/m,
      /:\d+ health\.port: .*65535$/m,
      /:\d+ sealing: .*LIVE_MIGRATION_PREP_SEALING_KEYS is not set .*make one with: live-migration-prep keys --file/,
      /:\d+ sinks\.files\.type: is not a type of sink: write one of file, /,
    ]) {
      expect(stderr).toMatch(problem);
    }
  });

  it('does not wait long for a Temporal that is not there', async () => {
    const address = `127.0.0.1:${await freePort()}`;
    const startedAt = Date.now();
    const { code, stderr } = await start(
      {},
      {
        TEMPORAL_ADDRESS: address,
        MONGODB_ATLAS_CLIENT_ID: newOrgId(),
        MONGODB_ATLAS_CLIENT_SECRET: newOrgId(),
      },
    );
    expect(Date.now() - startedAt).toBeLessThan(10_000);
    expect(code).toBe(1);
    expect(stderr).toMatch(
      /^live-migration-prep-worker: cannot reach Temporal at .*: start it, or set TEMPORAL_/,
    );
    expect(stderr.trim().split('\n')).toHaveLength(1);
  });
});
