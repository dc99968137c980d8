// Imported here, so that its hooks are those of the group and not of its first member.
import './contract';

describe('aws-secrets-manager', () => void require('./aws-secrets-manager.test'));
describe('cloud-manager', () => void require('./cloud-manager.test'));
describe('vault', () => void require('./vault.test'));
