// Loaded here, its hooks are those of this file, and not of the first member.
import './shared-worker';

describe('endings', () => void require('./endings.test'));
describe('updates', () => void require('./updates.test'));
describe('prepare-on-schedule', () => void require('./prepare-on-schedule.test'));
describe('refused', () => void require('./refused.test'));
describe('status', () => void require('./status.test'));
