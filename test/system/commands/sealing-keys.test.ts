import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { compactDecrypt, importJWK, type JWK } from 'jose';
import { devServerEnv } from '../../../dev/temporal/dev-server-env';
import { createCommandFixture } from '../../support/command-line';
import { eventually } from '../../support/eventually';
import { ROOT, codeBlocks, page, sectionBelow } from '../../support/markdown';
import { end, untilStep } from '../../support/runs';

const commandsBelow = (heading: string) => codeBlocks(sectionBelow(page('docs/runbook.md'), heading), 'sh');
const [, countByKey = ''] = commandsBelow('Rotate the sealing key');
const [openByHand = ''] = commandsBelow('Open a sealed token by hand');

it('the commands of docs/runbook.md count the tokens that need a key, and find what opens one', async () => {
  const { address, atlas, client, deployment } = await createCommandFixture();
  const { folder, keysFile, taskQueue } = deployment;
  const program = `#!/bin/sh\nexec ${process.execPath} ${ROOT}/dist/client.js --task-queue ${taskQueue} "$@"\n`;
  writeFileSync(path.join(folder, 'live-migration-prep'), program, { mode: 0o755 });
  const programs = `${folder}:${path.join(ROOT, '.cache/bin')}:${String(process.env['PATH'])}`;
  const env = { ...devServerEnv(address), PATH: programs };
  const sh = (script: string) =>
    execFileSync('sh', ['-ec', script], {
      cwd: folder,
      env,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    });
  const read = (name: string) => readFileSync(path.join(folder, name), 'utf8');
  const newestKeyId = () =>
    (JSON.parse(read(path.basename(keysFile))) as { keys: { kid: string }[] }).keys[0]?.kid;
  const startUndelivered = async () => {
    const run = await deployment.start(deployment.newRequest({ sink: 'blocked' }));
    await untilStep(run, 'undelivered');
    return run;
  };

  const oldKeyId = newestKeyId();
  await end(await startUndelivered(), 'cancel');
  await startUndelivered();
  await client('keys', '--file', keysFile, '--rotate');
  await deployment.workers[0]?.stop();
  await deployment.startWorker();
  await startUndelivered();
  const counts = [`2 ${oldKeyId}`, `1 ${newestKeyId()}`].sort();
  // The list lags behind.
  await eventually(counts.join(), () => {
    const lines = sh(countByKey)
      .trim()
      .split('\n')
      .map((line) => line.trim());
    return lines.sort().join() === counts.join();
  });

  // npm has no command for JOSE: this does what the last line of the page does.
  sh(openByHand.replace(/^jose .*$/m, ''));
  const key = await importJWK(JSON.parse(read('key.jwk')) as JWK);
  const { plaintext } = await compactDecrypt(read('token.jwe').trim(), key);
  const { linkToken } = JSON.parse(new TextDecoder().decode(plaintext)) as { linkToken: string };
  expect(atlas.createdTokens().map((token) => token.linkToken)).toContain(linkToken);
});
