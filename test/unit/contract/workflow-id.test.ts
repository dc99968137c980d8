import { shortName, workflowIdOf } from '../../../src/contract/workflow-id';

const ORG = '64f1c0ffee5eed0000000a71';
const SOURCE = '64f1c0ffee5eed0000005c05';

it.each([
  [`live-migration-prep/${ORG}`, ORG],
  [`live-migration-prep/${ORG}/${SOURCE}`, `${ORG}/${SOURCE}`],
  [`live-migration-prep/${ORG}/revoke/abcdefgh`, `${ORG}/revoke/abcdefgh`],
  ['live-migration-prep/64F1', 'live-migration-prep/64F1'],
  ['of-another-program', 'of-another-program'],
])('the run of the workflow id %s is printed as %s, which commands read back', (id, name) => {
  expect(shortName(id)).toBe(name);
  expect([name, id].map(workflowIdOf)).toEqual([id, id]);
});
