// Loaded here, its hooks are those of this file, and not of the first member.
import './contract';

describe('aws-secrets-manager', () => void require('./aws-secrets-manager.test'));
describe('cloud-manager', () => void require('./cloud-manager.test'));
describe('vault', () => void require('./vault.test'));
