import { codeBlocks, page } from '../../support/markdown';
import { createShell } from '../../support/shell';

it('every command of docs/acceptance.md works, in its order, and leaves no key', async () => {
  const { atlas, sh } = await createShell({ sinks: { drop: { type: 'file', directory: 'tokens' } } });
  const [names = '', look = '', create = '', find = '', again = '', remove = ''] = codeBlocks(
    page('docs/acceptance.md'),
    'sh',
  );
  const run = (commands: string) => sh(names + commands);

  expect((await run(look)).at(-1)).toEqual(['[]']);
  expect((await run(create)).join('\n')).toContain('token is in');
  const [key] = await run(find);
  expect(key).toEqual([expect.any(String), 'Live Migration link-token', 'ORG_OWNER']);
  expect((await run(again)).at(-1)).toEqual(['2']);
  expect((await run(remove)).at(-1)).toEqual(['0']);
  expect(atlas.createdTokens()).toMatchObject([
    { removedAt: expect.any(String) },
    { removedAt: expect.any(String) },
  ]);
});
