const os = require('node:os');
const { findTestsToLeaveOut } = require('./test/support/groups.cjs');

/**
 * A folder of tests that `npm test` leaves out: `packages` installs packages from scratch and runs
 * the commands of pages, with jq and curl; `deploy` needs programs of Debian, which
 * dev/check-deploy.sh names.
 */
const { TEST_FOLDER } = process.env;

// A worker logs the AWS SDK's warning about Node 20; in the output of the tests it would be noise.
process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED = 'true';

// No result may depend on the zone of the machine, and in most of them UTC would hide that.
process.env.TZ = 'America/Los_Angeles';

const servers = {
  globalSetup: '<rootDir>/test/support/global-setup.ts',
  globalTeardown: '<rootDir>/test/support/shared-temporal.ts',
};

const common = {
  testPathIgnorePatterns: ['/node_modules/', ...findTestsToLeaveOut(process.argv.slice(2))],
  // With src and dev in it, `jest -o` and `--findRelatedTests` find the tests of a changed file.
  roots: ['<rootDir>/src', '<rootDir>/dev', '<rootDir>/test'],
  transform: {
    '^.+\\.(t|j|mj)s$': ['@swc/jest', { jsc: { target: 'es2023' }, module: { type: 'commonjs' } }],
  },
  // `import('./x.js')`, which Node resolves to the compiled file, is x.ts here.
  moduleNameMapper: { '^(\\.{1,2}/.*)\\.js$': '$1' },
  // These ship as ECMAScript modules only, which jest loads once they are transformed.
  transformIgnorePatterns: ['/node_modules/(?!(jose|p-map)/)'],
};

/** @type {import('jest').Config} */
module.exports = {
  // The system tests wait more than they compute: for processes, heartbeats and Temporal's
  // timeouts.
  maxWorkers: 3 * os.availableParallelism(),
  testSequencer: '<rootDir>/test/support/longest-first.cjs',
  // Only what hangs takes this long, on the busiest machine.
  testTimeout: 900_000,
  // At its end a process frees its memory first. On a busy machine that takes longer than jest's half
  // a second, after which it says that tests leak.
  workerGracefulExitTimeout: 60_000,
  // Of the tests of one file that run concurrently, which mostly wait.
  maxConcurrency: 20,
  projects: TEST_FOLDER
    ? [
        {
          ...common,
          displayName: TEST_FOLDER,
          testMatch: [`<rootDir>/test/${TEST_FOLDER}/**/*.test.ts`],
          ...servers,
        },
      ]
    : [
        {
          ...common,
          displayName: 'unit',
          testMatch: ['<rootDir>/test/unit/**/*.test.ts'],
        },
        {
          ...common,
          displayName: 'workflow',
          testMatch: ['<rootDir>/test/workflow/**/*.test.ts'],
          ...servers,
        },
        {
          ...common,
          displayName: 'system',
          testMatch: ['<rootDir>/test/system/**/*.test.ts'],
          ...servers,
        },
      ],
};
