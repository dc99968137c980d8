import { createOrganizations } from '../../../src/config/organizations';

const ORG = '64f1c0ffee5eed0000000a71';
const OTHER_ORG = '0'.repeat(24);
const names = { credentials: new Set(['default']), sinks: new Set(['drop', 'other']) };

describe('organizations', () => {
  it('of a map are served, each with its credential and its sinks, and no other is', () => {
    const organizations = createOrganizations({
      ...names,
      organizations: new Map([[ORG, { credential: 'b', sinks: ['other'] }]]),
    });
    expect([organizations.credentialFor(ORG), organizations.sinksFor(ORG)]).toEqual(['b', ['other']]);
    expect([organizations.credentialFor(OTHER_ORG), organizations.sinksFor(OTHER_ORG)]).toEqual([null, []]);
    expect([organizations.servedBy('b'), organizations.servedBy('default')]).toEqual([[ORG], []]);
  });

  it('without a map are all served by the only credential, with every sink', () => {
    const organizations = createOrganizations({ ...names, organizations: null });
    expect(organizations.credentialFor(OTHER_ORG)).toBe('default');
    expect(organizations.sinksFor(OTHER_ORG)).toEqual(['drop', 'other']);
  });
});
