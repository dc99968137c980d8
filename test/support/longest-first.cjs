const { default: Sequencer } = require('@jest/test-sequencer');

/**
 * They wait for long: started last, they would run alone. jest knows this only once it has a cache.
 */
const LONGEST = [
  'worker/ending',
  'faults/worker-lost',
  'commands/group',
  'faults/temporal-away',
  'runs/group',
  'sinks/group',
  'workflow/group',
  'worker/check-worker',
  'worker/versioning',
  // Its promises take three times as long once a Temporal client has been used in the process.
  'simulation/simulation',
  'packages/examples',
  'packages/readme',
  'packages/pages',
];

/** @param {{ path: string }} test */
function rankOf({ path }) {
  const rank = LONGEST.findIndex((name) => path.endsWith(`/${name}.test.ts`));
  return rank < 0 ? LONGEST.length : rank;
}

module.exports = class LongestFirst extends Sequencer {
  /**
   * @override
   * @param {import('@jest/test-result').Test[]} tests
   */
  async sort(tests) {
    return (await super.sort(tests)).sort((x, y) => rankOf(x) - rankOf(y));
  }
};
