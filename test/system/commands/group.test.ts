// Loaded here, its hooks are those of this file, and not of the first member.
import './shared-fixture';

// It expects that Atlas has had no request for a link-token.
describe('checks', () => void require('./checks.test'));
describe('start', () => void require('./start.test'));
describe('earlier-runs', () => void require('./earlier-runs.test'));
describe('many-runs', () => void require('./many-runs.test'));
describe('process', () => void require('./process.test'));
