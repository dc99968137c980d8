/**
 * Makes a fresh clone ready to run: node dev/setup.mjs [--tests]
 *
 * npm packages, dist/ and a Temporal CLI; with --tests the time-skipping server as well. What is there and still fits is
 * left alone. Node's own modules only, since it runs before anything is installed.
 */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { BUILD_STAMP_FILE, buildStamp } from './build-stamp.mjs';
import { withLock } from './lock.mjs';
import { run } from './run.mjs';
import { hasStamp, stampOf, writeStamp } from './stamp.mjs';
import { CLI, TEST_SERVER, findOrInstall, isFound } from './temporal-binaries.mjs';

const PACKAGES_STAMP_FILE = 'node_modules/.set-up-stamp';

process.chdir(fileURLToPath(new URL('..', import.meta.url)));

const interruption = new AbortController();
for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.once(name, () => interruption.abort());
const { signal } = interruption;

const packages = {
  isDone: () => hasStamp(PACKAGES_STAMP_FILE, packagesStamp()),
  async run() {
    say('installing the npm packages (npm ci)');
    // --include=dev: NODE_ENV=production would leave out what the demo and the tests need.
    await run('npm', ['ci', '--include=dev', '--no-audit', '--no-fund'], { signal });
    writeStamp(PACKAGES_STAMP_FILE, packagesStamp());
  },
};

const build = {
  isDone: () => hasStamp(BUILD_STAMP_FILE, buildStamp()),
  async run() {
    say('building dist/');
    await run(process.execPath, ['dev/build.mjs'], { signal });
  },
};

const temporal = (binary) => ({
  isDone: () => isFound(binary),
  run: () => findOrInstall(binary, { say, signal }),
});

/** npm keeps its own record of what is installed, so a later `npm prune` or `npm install` is noticed too. */
function packagesStamp() {
  return stampOf(
    ['package-lock.json', 'node_modules/.package-lock.json'],
    process.version,
    process.platform,
    process.arch,
  );
}

function say(text) {
  console.log(`set-up: ${text}`);
}

function checkNode() {
  const wanted = JSON.parse(readFileSync('package.json', 'utf8')).engines.node;
  const minimum = wanted.replace('>=', '');
  if (process.versions.node.localeCompare(minimum, 'en', { numeric: true }) < 0) {
    throw new Error(`this is Node ${process.versions.node}; install Node ${wanted} and run this again`);
  }
}

async function setUp() {
  checkNode();
  const steps = [packages, build, temporal(CLI)];
  if (process.argv.includes('--tests')) steps.push(temporal(TEST_SERVER));
  if (steps.every((step) => step.isDone())) return;
  const onWait = (pid) => say(`waiting for another set-up (process ${pid}; else delete .cache/set-up.lock)`);
  await withLock('.cache/set-up.lock', onWait, async () => {
    for (const step of steps) if (!step.isDone()) await step.run();
  });
}

setUp().catch((error) => {
  if (signal.aborted) say('interrupted; run it again to go on');
  else console.error(`set-up failed: ${error.message}`);
  process.exitCode = signal.aborted ? 130 : 1;
});
