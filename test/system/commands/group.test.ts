// Imported here, so that its hooks are those of the group and not of its first member.
import './shared-fixture';

// It expects that Atlas has had no request for a link-token.
describe('checks', () => void require('./checks.test'));
describe('start', () => void require('./start.test'));
describe('earlier-runs', () => void require('./earlier-runs.test'));
describe('many-runs', () => void require('./many-runs.test'));
describe('process', () => void require('./process.test'));
