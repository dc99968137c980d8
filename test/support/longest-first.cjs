const { default: Sequencer } = require('@jest/test-sequencer');

/** They wait for a minute or compute for long: started last, they would run alone. jest knows this only from its cache. */
const LONGEST = [
  ...['worker/ending', 'system/examples', 'counting/worker-lost', 'outcomes/outcomes', 'dev/demo'],
  ...[
    'worker/check-worker',
    'system/readme',
    'schedule/keep-link',
    'commands/exit-codes',
    'worker/versioning',
  ],
  ...['faults/rate-limit-storm', 'commands/list', 'commands/start-from', 'runs/key-rotation'],
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
