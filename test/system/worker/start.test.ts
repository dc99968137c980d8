import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { newAccount } from '../../support/atlas';
import { atOnce } from '../../support/at-once';
import { cleanUpLater } from '../../support/clean-up';
import type { Config } from '../../support/deployment';
import { newOrgId } from '../../support/ids';
import { deploy } from '../../support/setting';

/** Starts a worker that cannot start, and returns its one message. */
async function messageOf(config: Config, env: Record<string, string> = {}): Promise<string> {
  const deployment = await deploy({ atlas: { url: 'http://127.0.0.1:9', account: newAccount() }, config });
  const worker = deployment.spawnWorker(env);
  expect(await worker.exited).toEqual({ code: 1, signal: null });
  const output = worker.output();
  expect(output).toMatch(/^live-migration-prep-worker: /);
  expect(output).not.toMatch(/worker starts|\n\s+at /);
  return output;
}

describe('a worker that cannot start says why in one message, exits with 1 and has started nothing', () => {
  atOnce({
    async 'every problem of the configuration at once, each with its place and what to do'() {
      const message = await messageOf(
        {
          colour: 'blue',
          atlas: { requestTimeoutMs: 'soon' },
          sinks: { files: { type: 'fax' } },
          sealing: {},
          health: { port: 70_000 },
        },
        {
          MONGODB_ATLAS_BASE_URL: 'cloud.mongodb.com',
          MONGODB_ATLAS_CLIENT_ID: newOrgId(),
          MONGODB_ATLAS_CLIENT_SECRET: '',
        },
      );
      expect(message).toMatch(
        /^live-migration-prep-worker: the configuration has 7 problem\(s\):\n( {2}- .*\n){7}$/,
      );
      for (const problem of [
        /environment variable MONGODB_ATLAS_BASE_URL is not the address of a server, such as https:/,
        /environment variable MONGODB_ATLAS_CLIENT_SECRET is not set/,
        /:\d+ atlas\.requestTimeoutMs: /,
        /:\d+ colour: is not a setting: remove it, or correct its name$/m,
        /:\d+ health\.port: is too large: write 65535 or less$/m,
        /:\d+ sealing\.keys: .*LIVE_MIGRATION_PREP_SEALING_KEYS.* live-migration-prep keys --file sealing-keys\.json$/m,
        /:\d+ sinks\.files\.type: is not a type of sink: write one of file, /,
      ]) {
        expect(message).toMatch(problem);
      }
    },

    async 'a port in use'() {
      const server = createServer().listen(0, '127.0.0.1');
      cleanUpLater(() => server.close());
      await once(server, 'listening');
      const { port } = server.address() as AddressInfo;
      expect(await messageOf({ health: { port } })).toContain(
        `cannot listen on 127.0.0.1:${port} (EADDRINUSE): set health.port to a free port`,
      );
    },

    async 'a port for metrics in use'() {
      const server = createServer().listen(0, '127.0.0.1');
      cleanUpLater(() => server.close());
      await once(server, 'listening');
      const { port } = server.address() as AddressInfo;
      expect(await messageOf({ metrics: { port } })).toMatch(
        new RegExp(
          `cannot serve metrics on 127\\.0\\.0\\.1:${port} \\(.*in use.*\\): set metrics.port to a free port`,
        ),
      );
    },
  });
});
