import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import { embeddedEnv } from '../../../dev/temporal/embedded-env';
import { newFolder } from '../../support/clean-up';
import { createCommandFixture } from '../../support/command-line';
import { eventually } from '../../support/eventually';
import { objectsIn } from '../../support/run-command';
import { untilListed } from '../../support/temporal';
import { ROOT, codeBlocks, page, sectionBelow } from '../../unit/docs/markdown';

const CLIENT = `exec ${process.execPath} ${ROOT}/dist/client.js --task-queue "$TASK_QUEUE" "$@"`;
/** The organization of the page. */
const PAGE_ORG = '64f1c0ffee5eed0000000a71';

/** Prepares a shell with `live-migration-prep` and the stand-in for the Atlas CLI. */
async function createShell() {
  const fixture = await createCommandFixture();
  const { account, url } = fixture.atlas;
  const folder = newFolder();
  /** Makes the program `live-migration-prep`, which runs a command. */
  const replaceClient = (command: string) =>
    writeFileSync(path.join(folder, 'live-migration-prep'), `#!/bin/sh\n${command}\n`, { mode: 0o755 });
  replaceClient(CLIENT);
  const env = {
    ...embeddedEnv(fixture.address),
    PATH: `${folder}:${path.join(ROOT, 'dev/atlas-emulator/bin')}:${String(process.env['PATH'])}`,
    TASK_QUEUE: fixture.deployment.taskQueue,
    MONGODB_ATLAS_BASE_URL: url,
    MONGODB_ATLAS_PUBLIC_API_KEY: account.publicKey,
    MONGODB_ATLAS_PRIVATE_API_KEY: account.privateKey,
  };
  return {
    ...fixture,
    replaceClient,
    /** Runs commands of the runbook, for the organization of the fixture. Returns lines of tab-separated fields. */
    sh: async (commands: string): Promise<string[][]> => {
      const script = commands.replaceAll(PAGE_ORG, account.orgId);
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

it('the commands of docs/runbook.md find exactly the keys of unconfirmed tokens, and delete them', async () => {
  const { atlas, client, deployment, replaceClient, sh } = await createShell();
  const [find = '', remove = ''] = codeBlocks(
    sectionBelow(page('docs/runbook.md'), 'Find and delete an API key'),
    'sh',
  );
  // What Atlas creates is lost three times; then the run waits.
  atlas.faults([
    { on: 'linkTokens', status: 503, afterCreating: true, times: 3 },
    { on: 'linkTokens', status: 429, headers: { 'retry-after': '3000' } },
  ]);
  const run = await deployment.start();
  await eventually('a wait', () => atlas.posts().length === 4);
  await untilListed(`WorkflowId = '${run.workflowId}'`, 1);
  const lost = atlas.createdTokens().map(({ apiKey: { id } }) => [id, 'Live Migration link-token']);
  expect(await sh(find)).toEqual(lost);

  const [search] = objectsIn(await client('--json', 'list', '--unconfirmed'));
  const windows = search?.['windows'] as object[];
  const received = windows.map((window) => ({ ...window, deliveryId: 'of-another-run' }));
  replaceClient(`echo '${JSON.stringify({ ...search, received })}'`);
  const mayBeInUse = lost.map(([id, description]) => [id, 'of-another-run', description]);
  expect(await sh(find + remove)).toEqual(mayBeInUse);

  replaceClient(CLIENT);
  expect(await sh(find + remove)).toEqual([...lost, ...lost.map(([id]) => [`API Key '${id}' deleted`])]);
  expect(await sh(find)).toEqual([['']]);
});
