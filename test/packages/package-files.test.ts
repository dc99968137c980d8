import { execFileSync } from 'node:child_process';
import path from 'node:path';
import { ROOT, page, relativeLinks } from '../support/markdown';

it('the package has every page to which its pages link', () => {
  const list = ['pack', '--dry-run', '--ignore-scripts', '--json'];
  const output = execFileSync('npm', list, { cwd: ROOT, encoding: 'utf8', stdio: 'pipe' });
  const [{ files }] = JSON.parse(output) as [{ files: { path: string }[] }];
  const pages = files.map((file) => file.path).filter((name) => name.endsWith('.md'));
  const linked = pages.flatMap((name) =>
    relativeLinks(page(name)).map((link) =>
      path.join(path.dirname(name), link.replace(/#.*/, '') || path.basename(name)),
    ),
  );
  expect(pages).toEqual(expect.arrayContaining(['README.md', 'docs/runbook.md']));
  expect(linked.filter((name) => name.endsWith('.md') && !pages.includes(name))).toEqual([]);
});
