import { findPublicApiKey } from '../../../src/secrets/link-token';

const encode = (content: unknown) => Buffer.from(JSON.stringify(content)).toString('base64');

const CONTENT = {
  orgId: '64f1c0ffee5eed0000000a71',
  orgName: 'Ärzte & Söhne',
  privateApiKey: '00000000-e3a1-4a7a-8a5e-0000000a7145',
  publicApiKey: 'abcdefgh',
};

it.each([
  ['as it was recorded', encode(CONTENT)],
  ['with more fields', encode({ ...CONTENT, version: 2 })],
  ['without padding', encode(CONTENT).replace(/=+$/, '')],
  ['with a line break at its end', `${encode(CONTENT)}\n`],
  ['with line breaks inside', encode(CONTENT).replace(/(.{76})/g, '$1\r\n')],
  ['in base64url', Buffer.from(JSON.stringify(CONTENT)).toString('base64url')],
  [
    'with its fields in another order',
    encode(Object.fromEntries(Object.entries(CONTENT).reverse())),
  ],
  ['indented', Buffer.from(JSON.stringify(CONTENT, null, 2)).toString('base64')],
  ['with a name of 10 KB', encode({ ...CONTENT, orgName: 'x'.repeat(10_240) })],
])('findPublicApiKey reads a token %s', (_how, token) => {
  expect(findPublicApiKey(token)).toBe('abcdefgh');
});

it.each([
  ['upper-case letters', 'ABCDEFGH'],
  ['16 letters and digits', 'a1b2c3d4e5f6a7b8'],
])('findPublicApiKey reads a key of %s', (_what, publicApiKey) => {
  expect(findPublicApiKey(encode({ ...CONTENT, publicApiKey }))).toBe(publicApiKey);
});

it.each([
  ['opaque', 'CANARY-token'],
  ['empty', ''],
  ['not base64', '%%%%'],
  ['of other base64', Buffer.from([0xff, 0, 0x80]).toString('base64')],
  ['encoded twice', encode(encode(CONTENT))],
  ['a list', encode([CONTENT])],
  ['cut off', encode(CONTENT).slice(0, -8)],
  ['without a text in the key', encode({ ...CONTENT, publicApiKey: '' })],
  ['nested', encode({ token: CONTENT })],
  ['of a field in another case', encode({ PublicApiKey: 'abcdefgh' })],
  ['plain JSON', JSON.stringify(CONTENT)],
  ['a text', encode('abcdefgh')],
  ['null', encode(null)],
  ['without the field', encode({ ...CONTENT, publicApiKey: undefined })],
  ['with a number for the key', encode({ ...CONTENT, publicApiKey: 5 })],
  ['with a private key in its place', encode({ publicApiKey: CONTENT.privateApiKey })],
  [
    'with a private key without dashes in its place',
    encode({ publicApiKey: CONTENT.privateApiKey.replaceAll('-', '') }),
  ],
  ['with a key of 17 characters', encode({ publicApiKey: 'a'.repeat(17) })],
  ['with control characters in the key', encode({ publicApiKey: 'abc\u001b[2J' })],
])('findPublicApiKey finds none in a token that is %s', (_what, token) => {
  expect(findPublicApiKey(token)).toBeNull();
});
