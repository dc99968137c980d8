import { execFile, spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import { ROOT } from './markdown';

export const CACHE = path.join(ROOT, '.cache/examples');

/** Installs the package for callers, and nothing beside it. */
export const INSTALL_CONTRACT = `
  CONTRACT=node_modules/live-migration-prep-contract
  mkdir -p $CONTRACT
  tarball=$(npm run --prefix "$ROOT" pack:contract "$PWD" | tail -n 1)
  tar -xzf "$tarball" -C $CONTRACT --strip-components=1`;

const RUN_TYPESCRIPT = 'NODE_NO_WARNINGS=1 exec node --import tsx "$PROGRAM.ts"';

/**
 * The examples of one language: where they are, and shell commands, which run in a copy of their
 * folder.
 */
interface Language {
  source: (program: string) => string;
  /** Fails where this machine lacks what the examples need. */
  check: string;
  /** Installs what the examples pin, and builds them. */
  install: string;
  /** Runs $PROGRAM. */
  run: string;
}

export const LANGUAGES: Record<string, Language> = {
  TypeScript: {
    source: (program) => `typescript/${program}.ts`,
    check: 'true',
    install: `${INSTALL_CONTRACT}
      ln -s "$ROOT/node_modules/@temporalio" "$ROOT/node_modules/tsx" node_modules`,
    run: RUN_TYPESCRIPT,
  },
  'TypeScript with the oldest SDK': {
    source: (program) => `typescript/${program}.ts`,
    check: 'true',
    install: `${INSTALL_CONTRACT}
      oldest=$(node -p "require('./$CONTRACT/package.json').peerDependencies['@temporalio/client'].slice(1)")
      modules="$CACHE/typescript-$oldest"
      if [ ! -e "$modules/stamp" ]; then
        npm install --silent --no-audit --no-fund --prefix "$modules" \
          "@temporalio/client@$oldest" "@temporalio/envconfig@$oldest"
        touch "$modules/stamp"
      fi
      ln -s "$modules/node_modules/@temporalio" "$ROOT/node_modules/tsx" node_modules`,
    run: RUN_TYPESCRIPT,
  },
  Python: {
    source: (program) => `python/${program}.py`,
    check: `python3 -c 'import sys, pip; assert sys.version_info >= (3, 10)'`,
    install: `
      (cat requirements.txt && python3 --version) >stamp
      if cmp --silent stamp "$CACHE/python.stamp"; then exit; fi
      rm -rf "$CACHE/python"
      options='--quiet --disable-pip-version-check --no-deps --requirement requirements.txt'
      PIP_USER=0 python3 -m pip install $options --target "$CACHE/python"
      cp stamp "$CACHE/python.stamp"`,
    run: 'PYTHONPATH="$CACHE/python" exec python3 "$PROGRAM.py"',
  },
  Go: {
    source: (program) => `go/${program}/main.go`,
    check: 'cd examples/go && GOTOOLCHAIN=local go list -m',
    // Holds programs that were built before: Go does not link them again.
    install: `
      export GOTOOLCHAIN=local GOFLAGS=-mod=readonly
      go vet ./...
      go build -trimpath -o "$CACHE/go/" ./...`,
    run: 'exec "$CACHE/go/$PROGRAM"',
  },
};

/** Runs shell commands in a folder. @throws Error with their output. */
export async function sh(commands: string, cwd: string): Promise<void> {
  const env = { ...process.env, ROOT, CACHE };
  await promisify(execFile)('bash', ['-ec', commands], { cwd, env });
}

export const isTestable = ({ check }: Language) =>
  spawnSync('bash', ['-c', check], { cwd: ROOT }).status === 0;

export function sourceOf(language: Language, program: string): string {
  return readFileSync(path.join(ROOT, 'examples', language.source(program)), 'utf8');
}

/** Copies the examples of a language into an empty folder, and installs and builds them there. */
export async function installExamples(
  { source, install }: Language,
  folder: string,
): Promise<void> {
  const [name = ''] = source('').split('/');
  const examples = path.join(ROOT, 'examples', name);
  const isOurs = (file: string) =>
    !/node_modules|\.tgz$|__pycache__|venv/.test(path.relative(examples, file));
  cpSync(examples, folder, { recursive: true, filter: isOurs });
  mkdirSync(CACHE, { recursive: true });
  await sh(install, folder);
}
