const { TestEnvironment } = require('jest-environment-node');

// At its end Node would free memory first. On a busy machine that takes longer than the half second
// after which jest says that tests leak.
process.once('beforeExit', () => process.exit());

module.exports = TestEnvironment;
