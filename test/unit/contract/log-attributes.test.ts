import { logAttributesOf } from '../../../src/contract/log-attributes';

const REQUEST = { orgId: '64f1c0ffee5eed0000000a71', sourceOrgId: null, requestedBy: 'ana', sink: 'files' };
const ATTRIBUTES = { orgId: REQUEST.orgId, requestedBy: 'ana' };

it.each<[input: unknown, attributes: Record<string, string>]>([
  [REQUEST, ATTRIBUTES],
  [{ request: REQUEST, always: true }, ATTRIBUTES],
  [{ sourceOrgId: 'b' }, { sourceOrgId: 'b' }],
  [{ orgId: {}, sourceOrgId: 7, requestedBy: ['ana'] }, {}],
  [{ requestedBy: '\u001b[2J' }, { requestedBy: String.raw`\u001b[2J` }],
  [{ requestedBy: 'x'.repeat(200) }, { requestedBy: 'x'.repeat(200) }],
  [{ requestedBy: 'x'.repeat(201) }, { requestedBy: `${'x'.repeat(200)}…` }],
  [{ request: null, orgId: 'a' }, {}],
  [null, {}],
  [undefined, {}],
  ['a text', {}],
])('the log names of the input %j who asked, and the organizations', (input, attributes) => {
  expect(logAttributesOf(input)).toEqual(attributes);
});
