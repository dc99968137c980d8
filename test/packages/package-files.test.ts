import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { newFolder } from '../support/clean-up';
import { ROOT, page, relativeLinks } from '../support/markdown';

function listPackage(cwd: string): string[] {
  const list = ['pack', '--dry-run', '--ignore-scripts', '--json'];
  const output = execFileSync('npm', list, { cwd, encoding: 'utf8', stdio: 'pipe' });
  const [{ files }] = JSON.parse(output) as [{ files: { path: string }[] }];
  return files.map((file) => file.path);
}

it('the package has every page to which its pages link', () => {
  const pages = listPackage(ROOT).filter((name) => name.endsWith('.md'));
  const linked = pages.flatMap((name) =>
    relativeLinks(page(name)).map((link) =>
      path.join(path.dirname(name), link.replace(/#.*/, '') || path.basename(name)),
    ),
  );
  expect(pages).toEqual(expect.arrayContaining(['README.md', 'docs/runbook.md']));
  expect(linked.filter((name) => name.endsWith('.md') && !pages.includes(name))).toEqual([]);
});

it('a package that is made in a deployed clone has no secret', () => {
  const clone = newFolder();
  for (const name of ['package.json', '.gitignore', 'deploy']) {
    cpSync(path.join(ROOT, name), path.join(clone, name), { recursive: true });
  }
  const list = execFileSync('git', ['ls-files', 'deploy'], { cwd: ROOT, encoding: 'utf8' });
  const ours = list.trim().split('\n');
  for (const folder of [...new Set(ours.map((name) => path.dirname(name))), 'deploy/own']) {
    mkdirSync(path.join(clone, folder), { recursive: true });
    for (const name of ['secret.yaml', 'sealing-keys.json', 'notes.md']) {
      writeFileSync(path.join(clone, folder, name), '');
    }
  }
  const packed = listPackage(clone).filter((name) => name.startsWith('deploy/'));
  expect(packed.sort()).toEqual(ours.sort());
});
