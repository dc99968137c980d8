import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { contentOf } from '../../dev/setup/stamp.mjs';
import { isOlder } from '../../dev/setup/tools.mjs';
import { runToEnd, type ClientExit } from './run-command';

const ROOT = path.join(__dirname, '../..');
const CACHE = path.join(ROOT, '.cache/examples');

/** The examples of one language. `folder` is a copy of theirs, with nothing around it. */
interface Language {
  folder: string;
  extension: string;
  /** Names what this machine lacks. */
  missing(): string | null;
  /** Installs what the examples pin, and builds them. */
  install(folder: string): void;
  /** The command line of a program, in its folder, without its arguments. */
  command(program: string): string[];
  env?: NodeJS.ProcessEnv;
}

export const LANGUAGES: Record<string, Language> = {
  TypeScript: {
    folder: 'typescript',
    extension: 'ts',
    missing: () => null,
    /** Installs the tarball that `npm pack` makes, beside the packages of this clone. */
    install(folder) {
      const modules = path.join(folder, 'node_modules');
      const ours = path.join(modules, 'live-migration-prep');
      mkdirSync(ours, { recursive: true });
      const pack = ['pack', '--silent', '--pack-destination', folder];
      const tarball = execFileSync('npm', pack, { cwd: ROOT, encoding: 'utf8' }).trim();
      execFileSync('tar', ['-xzf', path.join(folder, tarball), '-C', ours, '--strip-components=1']);
      for (const name of ['@temporalio', 'tsx']) {
        symlinkSync(path.join(ROOT, 'node_modules', name), path.join(modules, name));
      }
    },
    command: (program) => [process.execPath, '--import', 'tsx', `${program}.ts`],
    env: { NODE_NO_WARNINGS: '1' },
  },
  Python: {
    folder: 'python',
    extension: 'py',
    missing: () => {
      const hasPip = spawnSync('python3', ['-m', 'pip', '--version']).status === 0;
      return olderThan('3.10', 'python3', '--version') ?? (hasPip ? null : 'there is no pip of python3');
    },
    install(folder) {
      const requirements = readFileSync(path.join(folder, 'requirements.txt'), 'utf8');
      const stamp = requirements + execFileSync('python3', ['--version'], { encoding: 'utf8' });
      const stampFile = path.join(CACHE, 'python.stamp');
      if (contentOf(stampFile) === stamp) return;
      rmSync(path.join(CACHE, 'python'), { recursive: true, force: true });
      const options = ['--quiet', '--disable-pip-version-check', '--no-deps', '--target'];
      const args = ['-m', 'pip', 'install', ...options, path.join(CACHE, 'python'), '-r', 'requirements.txt'];
      execFileSync('python3', args, { cwd: folder, env: { ...process.env, PIP_USER: '0' }, stdio: 'pipe' });
      writeFileSync(stampFile, stamp);
    },
    command: (program) => ['python3', `${program}.py`],
    env: { PYTHONPATH: path.join(CACHE, 'python') },
  },
  Go: {
    folder: 'go',
    extension: 'go',
    missing() {
      const file = path.join(ROOT, 'examples/go/go.mod');
      const [, minimum = ''] = /^go (\S+)/m.exec(readFileSync(file, 'utf8')) ?? [];
      return olderThan(minimum, 'go', 'version');
    },
    install(folder) {
      const env = { ...process.env, GOTOOLCHAIN: 'local', GOFLAGS: '-mod=readonly' };
      execFileSync('go', ['vet', './...'], { cwd: folder, env, stdio: 'pipe' });
      // Where programs of an earlier time are, which Go does not link again.
      const build = ['build', '-trimpath', '-o', `${path.join(CACHE, 'go')}/`, './...'];
      execFileSync('go', build, { cwd: folder, env, stdio: 'pipe' });
    },
    command: (program) => [path.join(CACHE, 'go', program)],
  },
};

/** Copies the examples of a language into an empty folder, and installs and builds them there. */
export function installExamples(language: Language, folder: string): void {
  mkdirSync(CACHE, { recursive: true });
  const source = path.join(ROOT, 'examples', language.folder);
  cpSync(source, folder, {
    recursive: true,
    filter: (file) => !/node_modules|\.tgz$|__pycache__|venv/.test(path.relative(source, file)),
  });
  language.install(folder);
}

export function runExample(
  language: Language,
  folder: string,
  program: string,
  args: string[],
  env: NodeJS.ProcessEnv,
): Promise<ClientExit> {
  const [command = '', ...first] = language.command(program);
  return runToEnd(command, [...first, ...args], { ...env, ...language.env }, folder);
}

export function sourceOf(language: Language, program: string): string {
  const inOwnFolder = language.extension === 'go';
  const file = inOwnFolder ? `${program}/main.go` : `${program}.${language.extension}`;
  return readFileSync(path.join(ROOT, 'examples', language.folder, file), 'utf8');
}

function olderThan(minimum: string, command: string, argument: string): string | null {
  const { status, stdout } = spawnSync(command, [argument], { encoding: 'utf8' });
  if (status !== 0) return `there is no ${command}`;
  const version = /\d+\.\d+(\.\d+)?/.exec(stdout)?.[0] ?? '0';
  return isOlder(version, minimum) ? `${command} is ${version}, older than ${minimum}` : null;
}
