/**
 * Makes a fresh clone ready to run: node dev/setup/index.mjs [TOOL]...
 *
 * Installs the npm packages, dist/, the Temporal CLI and the tools of tools.mjs that are named;
 * leaves alone what is there and up to date. Node's own modules only, since it runs before anything
 * is installed.
 */
import { mkdirSync, rmdirSync } from 'node:fs';
import path from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { arePackagesInstalled } from './packages.mjs';
import { buildStamp, contentOf } from './stamp.mjs';
import { install, isInstalled, isOlder, run } from './tools.mjs';

const LOCK = '.cache/set-up.lock';
const LOCK_POLL_MS = 100;

process.chdir(path.join(import.meta.dirname, '../..'));

const interruption = new AbortController();
for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.once(name, () => interruption.abort());
const { signal } = interruption;

const packages = {
  isDone: arePackagesInstalled,
  async run() {
    say('installing the npm packages (npm ci)');
    // NODE_ENV=production would leave out what demo and tests need. No package needs its install
    // script.
    await run('npm', ['ci', '--include=dev', '--ignore-scripts', '--no-audit', '--no-fund'], {
      signal,
    });
  },
};

const build = {
  isDone: () => contentOf('dist/.stamp') === buildStamp(),
  async run() {
    say('building dist/');
    await run(process.execPath, ['dev/setup/build.mjs'], { signal });
  },
};

/** @param {string} name */
const tool = (name) => ({
  isDone: () => isInstalled(name),
  run: () => install(name, { say, signal }),
});

/** @param {string} text */
function say(text) {
  console.log(`set-up: ${text}`);
}

function checkNode() {
  const minimum = /"node": ">=([\d.]+)"/.exec(contentOf('package.json') ?? '')?.[1] ?? '';
  const { node } = process.versions;
  if (!isOlder(node, minimum)) return;
  throw new Error(`this is Node ${node}; install Node ${minimum} or newer and run this again`);
}

/** @param {{ isDone: () => boolean, run: () => Promise<void> }} step */
async function finish(step) {
  if (!step.isDone()) await step.run();
}

/** Waits while another set-up holds the lock, a folder. */
async function takeLock() {
  mkdirSync('.cache', { recursive: true });
  for (let waiting = false; ; waiting = true) {
    try {
      mkdirSync(LOCK);
      return;
    } catch (error) {
      if (/** @type {NodeJS.ErrnoException} */ (error).code !== 'EEXIST') throw error;
      if (!waiting) say(`waiting for another set-up; if none is running, delete ${LOCK}`);
      await setTimeout(LOCK_POLL_MS, undefined, { signal });
    }
  }
}

async function setUp() {
  checkNode();
  const others = [build, tool('temporal'), ...process.argv.slice(2).map(tool)];
  if ([packages, ...others].every((step) => step.isDone())) return;
  await takeLock();
  try {
    await finish(packages);
    // Each needs the packages. The tools are downloaded while the build computes.
    const results = await Promise.allSettled(others.map(finish));
    for (const result of results) if (result.status === 'rejected') throw result.reason;
  } finally {
    rmdirSync(LOCK);
  }
}

setUp().catch((/** @type {unknown} */ error) => {
  if (signal.aborted) say('interrupted; run it again to go on');
  else console.error(`set-up failed: ${/** @type {Error} */ (error).message}`);
  process.exitCode = signal.aborted ? 130 : 1;
});
