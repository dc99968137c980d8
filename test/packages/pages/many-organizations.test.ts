import { readFileSync } from 'node:fs';
import path from 'node:path';
import type { SeedInput } from '../../../dev/atlas-emulator';
import { devServerEnv } from '../../../dev/temporal/dev-server-env';
import { cleanUpLater } from '../../support/clean-up';
import { newOrgId } from '../../support/ids';
import { codeBlocks, page, sectionBelow } from '../../support/markdown';
import { createShell } from '../../support/shell';
import { startWorkerProcess, untilRunning } from '../../support/worker-process';

it('the commands of docs/configuration.md serve a list of organizations, and print a receipt of each', async () => {
  const { address, atlas, deployment, sh } = await createShell();
  const section = sectionBelow(page('docs/configuration.md'), 'Many organizations');
  const [make = '', rehearse = '', check = '', start = ''] = codeBlocks(section, 'sh');
  const [list = ''] = codeBlocks(section, 'json');
  const another = {
    name: 'archive',
    orgId: newOrgId(),
    sourceOrgId: newOrgId(),
    clientId: 'mdb_sa_id_archive',
  };
  await sh(`jq '. + [${JSON.stringify(another)}]' > orgs.json <<'END'\n${list}END`);
  const [[folder = ''] = []] = await sh('pwd');

  const [npm = '', ...others] = rehearse.trimEnd().split('\n').reverse();
  expect(npm).toBe('npm run atlas -- --seed seed.json');
  await sh(make + others.reverse().join('\n'));
  const seed = JSON.parse(readFileSync(path.join(folder, 'seed.json'), 'utf8')) as SeedInput;
  atlas.seed(seed);

  // The stand-in for the Atlas CLI has the key of another organization.
  const withoutKey = 'unset MONGODB_ATLAS_PUBLIC_API_KEY MONGODB_ATLAS_PRIVATE_API_KEY\n';
  expect(check).toMatch(/\nlive-migration-prep-worker\n$/);
  const findings = await sh(withoutKey + check.replace('live-migration-prep-worker\n', ''));
  // A worker of the examples may poll the default task queue, of which the second warning is.
  expect(findings.flat().at(-1)).toMatch(/^\d+ checks, 0 errors, [12] warnings?\b/);

  await deployment.workers[0]?.stop();
  await sh("jq '. + {taskQueue: env.TASK_QUEUE, health: {port: 0}}' live-migration-prep.yaml > worker.yaml");
  const env = { ...devServerEnv(address), MONGODB_ATLAS_BASE_URL: atlas.url };
  const worker = startWorkerProcess(path.join(folder, 'worker.yaml'), path.join(folder, 'worker.log'), env);
  cleanUpLater(() => worker.stop());
  await untilRunning(worker);

  const receipts = (await sh(start)).map(([line = '']) => JSON.parse(line) as object);
  expect(receipts).toMatchObject([
    { changeReference: 'CHG-1042', credential: expect.stringMatching(/payments|archive/) },
    { changeReference: 'CHG-1042', credential: expect.stringMatching(/payments|archive/) },
  ]);
  expect(atlas.createdTokens()).toHaveLength(2);
  const repeated = await sh(start.replace('--wait ', ''));
  expect(repeated.map(([line = '']) => JSON.parse(line) as object)).toEqual(expect.arrayContaining(receipts));
  expect(await sh("jq -r 'select(.action) | .action' results.jsonl")).toEqual([['skipped'], ['skipped']]);
});
