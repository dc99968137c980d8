import { execFileSync } from 'node:child_process';
import { cpSync, readFileSync, writeFileSync } from 'node:fs';
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
  const ignored = readFileSync(path.join(clone, '.gitignore'), 'utf8').split('\n');
  const secrets = ignored
    .filter((name) => name.startsWith('/deploy/'))
    .map((name) => name.slice(1).replace('*', 'secret'));
  for (const name of secrets) writeFileSync(path.join(clone, name), '');
  expect(secrets).toContain('deploy/kubernetes/sealing-keys.json');
  const files = listPackage(clone);
  expect(files).toEqual(
    expect.arrayContaining(['deploy/prometheus/alerts.yaml', 'deploy/grafana/dashboard.json']),
  );
  expect(files.filter((name) => secrets.includes(name))).toEqual([]);
});
