import { createHash } from 'node:crypto';
import { readFileSync, readdirSync, statSync } from 'node:fs';

/**
 * One hash over files, folders with everything in them, and other facts. A missing file is a fact
 * too.
 *
 * @param {string[]} paths
 * @param {string[]} facts
 */
export function stampOf(paths, ...facts) {
  const hash = createHash('sha256').update(JSON.stringify(facts));
  for (const file of paths.flatMap(filesOf)) {
    hash.update(`\0${file}\0`).update(contentOf(file) ?? '');
  }
  return hash.digest('hex');
}

/** Stamp of everything that dist/ is built from. */
export function buildStamp() {
  return stampOf([
    ...['src', 'dev/setup/build.mjs', 'tsconfig.json', 'tsconfig.build.json'],
    ...['package.json', 'package-lock.json'],
  ]);
}

/** The text of a file, or null when there is none. @param {string} file */
export function contentOf(file) {
  return statSync(file, { throwIfNoEntry: false })?.isFile() ? readFileSync(file, 'utf8') : null;
}

/** @param {string} path */
function filesOf(path) {
  if (!statSync(path, { throwIfNoEntry: false })?.isDirectory()) return [path];
  const names = readdirSync(path, { recursive: true, encoding: 'utf8' });
  return names.sort().map((name) => `${path}/${name}`);
}
