import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';

/*
 * Replaces the former version by the new one in every file that names it, beside what npm itself
 * changes and the changelog. `npm version` runs it, by the script `version`, and sets the variables.
 */

const ROOT = path.join(__dirname, '..');

export const FILES_WITH_VERSION = [
  '.github/ISSUE_TEMPLATE/bug.yml',
  'deploy/kubernetes/README.md',
  'deploy/kubernetes/overlays/deployment/kustomization.yaml',
  'deploy/kubernetes/overlays/worker-controller/kustomization.yaml',
  'deploy/kubernetes/pod/kustomization.yaml',
  'examples/typescript/package.json',
];

/**
 * Matches a version of the program, not an equal one of another program: the text before it is the
 * first group.
 */
export function versionPattern(version: string): RegExp {
  const escaped = version.replaceAll('.', '\\.');
  return new RegExp(
    `((?:live-migration-prep|app\\.kubernetes\\.io/version)\\b.*?(?<![\\d.]))${escaped}(?!\\.?\\d)`,
    'g',
  );
}

function main(before: string, after: string): void {
  for (const name of FILES_WITH_VERSION) {
    const file = path.join(ROOT, name);
    const text = readFileSync(file, 'utf8');
    const pattern = versionPattern(before);
    if (!pattern.test(text)) throw new Error(`${name} does not name the version ${before}`);
    writeFileSync(file, text.replace(pattern, `$1${after}`));
  }
}

if (require.main === module) {
  const { npm_old_version: before, npm_new_version: after } = process.env;
  if (!before || !after) throw new Error('run npm version <version>');
  main(before, after);
}
