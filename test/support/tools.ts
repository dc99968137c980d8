import { execFileSync } from 'node:child_process';
import path from 'node:path';

const ROOT = path.join(__dirname, '../..');

/** Installs a tool of `dev/setup/tools.mjs` when it is missing, and returns its program. */
export function toolPath(name: 'bao' | 'moto'): string {
  const setUp = path.join(ROOT, 'dev/setup/index.mjs');
  execFileSync(process.execPath, [setUp, name], { stdio: ['ignore', 'ignore', 'pipe'] });
  return path.join(ROOT, '.cache/bin', name);
}
