/** Packs a package that is made from the project. */
import { execFileSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';

export const ROOT = path.join(__dirname, '../..');

export interface ProjectDescription {
  version: string;
  homepage: string;
  dependencies: Record<string, string>;
}

export function readProject(): ProjectDescription {
  return JSON.parse(readFileSync(path.join(ROOT, 'package.json'), 'utf8')) as ProjectDescription;
}

/**
 * Packs files, with what the packages of the project have in common in their package.json.
 *
 * @param write writes the files into an empty folder, and returns the rest of package.json.
 * @returns the path of the tarball.
 */
export function pack(
  destination: string,
  readme: string,
  write: (folder: string) => Record<string, unknown>,
): string {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'live-migration-prep-package-'));
  try {
    const { version, homepage, bugs, license, author, repository, engines } =
      readProject() as unknown as Record<string, unknown>;
    const common = { version, homepage, bugs, license, author, repository, engines };
    const { name, description, ...rest } = write(folder);
    const content = { name, description, ...common, type: 'commonjs', ...rest };
    writeFileSync(path.join(folder, 'package.json'), `${JSON.stringify(content, null, 2)}\n`);
    writeFileSync(path.join(folder, 'README.md'), readme);
    cpSync(path.join(ROOT, 'LICENSE'), path.join(folder, 'LICENSE'));
    const command = ['pack', folder, '--silent', '--pack-destination', destination];
    return path.join(destination, execFileSync('npm', command, { encoding: 'utf8' }).trim());
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
