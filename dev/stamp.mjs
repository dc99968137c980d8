import { createHash } from 'node:crypto';
import { readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs';

/** One hash over files, folders with all they hold, and other facts. A missing file counts as such. */
export function stampOf(paths, ...facts) {
  const hash = createHash('sha256').update(JSON.stringify(facts));
  for (const file of paths.flatMap(filesOf)) {
    hash.update(`\0${file}\0`).update(readOrNull(file) ?? '');
  }
  return hash.digest('hex');
}

export function hasStamp(file, stamp) {
  return readOrNull(file)?.toString() === stamp;
}

export function writeStamp(file, stamp) {
  writeFileSync(file, stamp);
}

function filesOf(path) {
  if (!statSync(path, { throwIfNoEntry: false })?.isDirectory()) return [path];
  return readdirSync(path)
    .sort()
    .flatMap((name) => filesOf(`${path}/${name}`));
}

function readOrNull(file) {
  try {
    return readFileSync(file);
  } catch (error) {
    if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return null;
    throw error;
  }
}
