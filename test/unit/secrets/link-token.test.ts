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
])('findPublicApiKey reads a token %s', (_how, token) => {
  expect(findPublicApiKey(token)).toBe('abcdefgh');
});

it.each([
  ['opaque', 'CANARY-token'],
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
