// Imported here, so that its hooks are those of the group and not of its first member.
import './shared-system';

describe('endings', () => void require('./endings.test'));
describe('trust', () => void require('./trust.test'));
describe('earlier-token', () => void require('./earlier-token.test'));
describe('prepare-link-token', () => void require('./prepare-link-token.test'));
// Its schedules go on until the last test.
describe('keep-link', () => void require('./keep-link.test'));
