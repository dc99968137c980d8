// Imported here, so that its hooks are those of the group and not of its first member.
import './shared-worker';

describe('endings', () => void require('./endings.test'));
describe('updates', () => void require('./updates.test'));
describe('prepare-on-schedule', () => void require('./prepare-on-schedule.test'));
describe('refused', () => void require('./refused.test'));
describe('revoke', () => void require('./revoke.test'));
describe('status', () => void require('./status.test'));
