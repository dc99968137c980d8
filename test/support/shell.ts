import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import { DEFAULTS } from '../../dev/atlas-emulator';
import { devServerEnv } from '../../dev/temporal/dev-server-env';
import { newFolder } from './clean-up';
import { createCommandFixture } from './command-line';
import type { Config } from './installation';
import { ROOT } from './markdown';

const CLIENT = `exec ${process.execPath} ${ROOT}/dist/client.js --task-queue "$TASK_QUEUE" "$@"`;

export type Shell = Awaited<ReturnType<typeof createShell>>;

/**
 * Prepares a shell for the commands of a page, with `live-migration-prep`, `temporal` and a
 * stand-in for the Atlas CLI.
 */
export async function createShell(config?: Config) {
  const fixture = await createCommandFixture(config);
  const { account, url } = fixture.atlas;
  const folder = newFolder();
  writeFileSync(path.join(folder, 'live-migration-prep'), `#!/bin/sh\n${CLIENT}\n`, {
    mode: 0o755,
  });
  const env = {
    ...devServerEnv(fixture.address),
    PATH: [
      folder,
      `${ROOT}/dev/atlas-emulator/bin`,
      `${ROOT}/.cache/bin`,
      process.env['PATH'],
    ].join(':'),
    TASK_QUEUE: fixture.installation.taskQueue,
    MONGODB_ATLAS_BASE_URL: url,
    MONGODB_ATLAS_PUBLIC_API_KEY: account.publicKey,
    MONGODB_ATLAS_PRIVATE_API_KEY: account.privateKey,
  };
  /** Maps what the pages name of the default seed to what the fixture has. */
  const replacements = [
    ['http://127.0.0.1:4400', url],
    [DEFAULTS.orgId, account.orgId],
    [DEFAULTS.sourceOrgId, account.sourceOrgId],
    [DEFAULTS.sourceApiKey.publicKey, account.sourcePublicKey],
    [DEFAULTS.sourceApiKey.privateKey, account.sourcePrivateKey],
  ] as const;
  return {
    ...fixture,
    /**
     * Runs commands of a page, for the organizations of the fixture. Returns lines of tab-separated
     * fields.
     */
    sh: async (commands: string): Promise<string[][]> => {
      const script = replacements.reduce((text, [from, to]) => text.replaceAll(from, to), commands);
      const { stdout } = await promisify(execFile)('bash', ['-euo', 'pipefail', '-c', script], {
        cwd: folder,
        env,
      });
      return stdout
        .trimEnd()
        .split('\n')
        .map((line) => line.split('\t'));
    },
  };
}
