/**
 * Packs `live-migration-prep-cli`, the command line without the worker: the compiled files that it
 * loads, and the packages that these load. Prints the path of the tarball. The argument is the
 * folder for it, by default that of the project.
 */
import { cpSync, existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { ROOT, pack, readProject } from '../support/pack';

const PROGRAM = path.join(ROOT, 'dist/client.js');
/** The file sink forks it. */
const FOLDER_PROCESS = path.join(ROOT, 'dist/sinks/file/folder-process.js');
/**
 * Large, and only for a worker: its connection, by which `doctor` on a worker's host tries what a
 * worker needs, and the sink of AWS.
 */
const NOT_INCLUDED = ['@temporalio/worker', '@aws-sdk/client-secrets-manager'];

/** Finds the compiled files that some files load, and the packages. */
function findLoaded(...files: string[]) {
  const loaded = new Set(files);
  const packages = new Set<string>();
  for (const file of loaded) {
    const code = readFileSync(file, 'utf8');
    for (const [, name = ''] of code.matchAll(/\b(?:require|import)\(['"]([^'"]+)['"]\)/g)) {
      if (name.startsWith('.')) loaded.add(resolveFile(path.resolve(path.dirname(file), name)));
      else if (!name.startsWith('node:')) packages.add(name);
    }
  }
  return { files: [...loaded], packages: [...packages] };
}

function resolveFile(name: string): string {
  const candidates = [name, `${name}.js`, path.join(name, 'index.js')];
  const file = candidates.find((one) => one.endsWith('.js') && existsSync(one));
  if (!file) throw new Error(`${name} is not compiled: npm run build`);
  return file;
}

const README = `# live-migration-prep-cli

The command line of live-migration-prep without its worker. \`doctor\` works with \`--remote\`: without it, run it
on the host of a worker.

See [the documentation of live-migration-prep](${readProject().homepage}).
`;

const { files, packages } = findLoaded(PROGRAM, FOLDER_PROCESS);
const { dependencies: all } = readProject();
// The typings of commander load it.
const names = [...packages, 'commander'].filter((name) => !NOT_INCLUDED.includes(name));
const dependencies = Object.fromEntries(names.sort().map((name) => [name, all[name]]));

const tarball = pack(path.resolve(ROOT, process.argv[2] ?? '.'), README, (folder) => {
  for (const file of files) cpSync(file, path.join(folder, path.relative(ROOT, file)));
  return {
    name: 'live-migration-prep-cli',
    description: 'The command line of live-migration-prep, without its worker.',
    bin: { 'live-migration-prep': 'dist/client.js' },
    dependencies,
  };
});
console.log(tarball);
