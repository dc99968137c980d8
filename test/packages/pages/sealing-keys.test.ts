import { readFileSync } from 'node:fs';
import { compactDecrypt, importJWK, type JWK } from 'jose';
import { eventually } from '../../support/eventually';
import { codeBlocks, page, sectionBelow } from '../../support/markdown';
import { end, untilStep } from '../../support/runs';
import { createShell } from '../../support/shell';

const commandsBelow = (heading: string) => codeBlocks(sectionBelow(page('docs/runbook.md'), heading), 'sh');

it('the commands of docs/runbook.md count the tokens that need a key, and find what opens one', async () => {
  const [rotate = '', count = ''] = commandsBelow('Rotate the sealing key');
  const [openByHand = ''] = commandsBelow('Open a sealed token by hand');
  const { atlas, client, deployment, sh } = await createShell();
  const { folder, keysFile } = deployment;
  const startUndelivered = async () => {
    const run = await deployment.start(deployment.newRequest({ sink: 'blocked' }));
    await untilStep(run, 'undelivered');
    return run;
  };

  await end(await startUndelivered(), 'cancel');
  await startUndelivered();
  await sh(`cd ${folder}; ${rotate}`);
  await deployment.workers[0]?.stop();
  await deployment.startWorker();
  await startUndelivered();
  const { keys } = JSON.parse(readFileSync(keysFile, 'utf8')) as { keys: { kid: string }[] };
  for (const [filter, runs] of [
    ['--undelivered', 2],
    ['--recoverable', 1],
  ] as const) {
    // The list lags behind.
    await eventually(`${runs} listed`, async () => (await client('list', filter)).stdout.includes(`\n${runs} run`));
  }
  const counts = (await sh(count)).map(([line = '']) => line.trim());
  expect(counts.sort()).toEqual([`1 ${keys[0]?.kid}`, `2 ${keys[1]?.kid}`]);

  // npm has no command for JOSE: this does what the last line of the page does.
  const files = await sh(`ln -s ${keysFile} .; ${openByHand.replace(/^jose .*$/m, '')} cat token.jwe; jq -c . key.jwk`);
  const [jwe = '', key = ''] = files.flat();
  const { plaintext } = await compactDecrypt(jwe, await importJWK(JSON.parse(key) as JWK));
  const { linkToken } = JSON.parse(new TextDecoder().decode(plaintext)) as { linkToken: string };
  expect(atlas.createdTokens().map((token) => token.linkToken)).toContain(linkToken);
});
