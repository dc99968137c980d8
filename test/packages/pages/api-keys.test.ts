import { eventually } from '../../support/eventually';
import { codeBlocks, page, sectionBelow } from '../../support/markdown';
import { objectsIn } from '../../support/run-command';
import { endingOf } from '../../support/runs';
import { CLIENT, createShell } from '../../support/shell';
import { untilListed } from '../../support/temporal';

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

it('the commands of docs/runbook.md find the key of a delivered token, delete and note it, and remove a link', async () => {
  const { atlas, deployment, sh } = await createShell();
  const [list = '', find = '', remove = ''] = codeBlocks(
    sectionBelow(page('docs/runbook.md'), 'End the life of a key'),
    'sh',
  );
  const { receipt } = await endingOf(await deployment.start());
  const { deliveryId = '', createdAt, orgId, sourceOrgId, location } = receipt ?? {};
  await deployment.workers[0]?.untilOutput(/link-token delivered/);
  await sh(`cp ${deployment.folder}/worker-1.log .`);
  expect(await sh(list)).toEqual([[deliveryId, createdAt, orgId, sourceOrgId, location]]);

  const [{ apiKey, accessListIps: [ipAddress] } = { apiKey: { id: '' }, accessListIps: [] }] = atlas.createdTokens();
  const accessList = `atlas organizations apiKeys accessLists list ${apiKey.id} --orgId ${orgId}`;
  expect(await sh(`${accessList} | jq -r '.results[].ipAddress'`)).toEqual([[ipAddress]]);
  const madeAt = new Date(parseInt(apiKey.id.slice(0, 8), 16) * 1000).toISOString().replace('.000', '');
  expect(await sh(find.replace(/(?<=token=)\S+/, deliveryId))).toEqual([
    [apiKey.id, madeAt, 'Live Migration link-token'],
  ]);
  await sh(remove.replace(/(?<=key=)\S+/, apiKey.id));
  const removed = { removedAt: expect.any(String) };
  expect(atlas.createdTokens()).toMatchObject([removed]);
  expect(await sh(list)).toEqual([['']]);

  await endingOf(await deployment.start());
  const [removeLink = ''] = codeBlocks(sectionBelow(page('docs/runbook.md'), 'Remove a link'), 'sh');
  expect(await sh(removeLink)).toEqual([['link deleted']]);
  expect(atlas.createdTokens()).toMatchObject([removed, removed]);
});
