import { codeBlocks, codeSpans, page } from '../../support/markdown';
import { createShell } from '../../support/shell';

it('every command of docs/acceptance.md works, in one terminal, and leaves no key and no link', async () => {
  const { atlas, deployment, sh } = await createShell({
    sinks: { drop: { type: 'file', directory: 'tokens' } },
  });
  await sh(`ln -s ${deployment.folder}/tokens tokens`);
  const text = page('docs/acceptance.md');
  const blocks = codeBlocks(text, 'sh');
  const [lookAgain = ''] = (blocks[1] ?? '').trimEnd().split('\n').slice(-1);
  const [disconnect = ''] = codeSpans(text).filter((span) => span.endsWith('-X DELETE'));
  const script = [...blocks.toSpliced(5, 0, `${lookAgain}\n`), disconnect];
  const output = (await sh(script.join('echo; echo END\n'))).map((line) => line.join('\t')).join('\n');
  const [names, look, create, find, paste, linked, again, remove] = output.split(/^END$/m).map((part) => part.trim());

  const [first, second] = atlas.createdTokens().map(({ apiKey }) => apiKey.id);
  expect(names).toBe('');
  expect(look).toMatch(/\n\[\]$/);
  expect(create).toContain('token is in');
  expect(find).toContain(`${first}\tLive Migration link-token\tORG_OWNER\n{"links":[],"results":[],"totalCount":0}`);
  expect(find).toContain('"eventTypeName":"API_KEY_CREATED"');
  expect(paste).toContain('{"status":"SYNCED"}');
  expect(linked).toContain(`"projectId":"${atlas.account.sourceOrgId}"`);
  expect(again).toMatch(new RegExp(`\n *2 ${first}\n *1 ${second}$`));
  expect(remove).toMatch(/\n0$/);
  expect(atlas.state().migrationLinks).toEqual([]);
  expect(atlas.createdTokens()).toMatchObject([{ removedAt: expect.any(String) }, { removedAt: expect.any(String) }]);
});
