import { Readable } from 'node:stream';
import { readKeys } from '../../../../src/commands/api-keys/read-keys';
import { run } from '../../../support/run-command';
import { ORG, OTHER_ORG } from '../../samples';
import { temporaryFiles } from '../../temporary-folder';

const { fileIn, write } = temporaryFiles();

const KEY = { id: '6925711d4f3c2b1a09876543', publicKey: 'abcdefgh', desc: 'of the billing job' };
const FOUND = { ...KEY, isOwner: false };
const OTHER_KEY = { ...KEY, id: '6925711d4f3c2b1a09876544', publicKey: 'bcdefghi' };
const WHAT = 'atlas organizations apiKeys list --orgId … --limit 500 --page … --output json';
const writePage = (name: string, totalCount: number, ...results: object[]) =>
  write(name, JSON.stringify({ results, totalCount }));

it.each<[what: string, text: string | null, message: string]>([
  ['is not there', null, 'cannot be read (ENOENT): correct its path'],
  [
    'is not JSON',
    'ID   DESCRIPTION\n',
    `is not a list of API keys: write what this prints: ${WHAT}`,
  ],
  ['is another list', '[]', 'is not a list of API keys: '],
  [
    'has an id without a time',
    JSON.stringify({ results: [{ ...KEY, id: 'x' }], totalCount: 1 }),
    'is not a list of API keys: ',
  ],
  [
    'has no public keys',
    JSON.stringify({ results: [{ id: KEY.id }], totalCount: 1 }),
    'is not a list of API keys: ',
  ],
])('api-keys refuses a list that %s, before it calls Temporal', async (_what, text, message) => {
  const file = text === null ? fileIn('nowhere.json') : write('keys.json', text);
  const { code, stdout, stderr } = await run(['api-keys', '--org', ORG, '--keys', file]);
  expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
  expect(stderr).toContain(`--keys ${file} ${message}`);
});

it('readKeys joins the pages of a list, with each key once', async () => {
  const pages = [writePage('keys-1.json', 2, KEY), writePage('keys-2.json', 2, KEY, OTHER_KEY)];
  await expect(readKeys(pages, ORG, undefined)).resolves.toEqual([
    FOUND,
    { ...OTHER_KEY, isOwner: false },
  ]);
});

it.each([
  ['Organization Owner', 'ORG_OWNER', true],
  ['another role', 'ORG_MEMBER', false],
])('readKeys says that a key with %s is an owner, or not', async (_what, roleName, isOwner) => {
  const roles = [
    { groupId: OTHER_ORG, roleName: 'GROUP_OWNER' },
    { orgId: ORG, roleName },
  ];
  const page = writePage('keys.json', 1, { ...KEY, roles });
  await expect(readKeys([page], ORG, undefined)).resolves.toEqual([{ ...KEY, isOwner }]);
});

it('readKeys refuses the list of another organization', async () => {
  const roles = [{ orgId: OTHER_ORG, roleName: 'ORG_OWNER' }];
  const page = writePage('keys.json', 1, { ...KEY, roles });
  await expect(readKeys([page], ORG, undefined)).rejects.toThrow(
    `--keys ${page} is the list of organization ${OTHER_ORG}`,
  );
});

it('readKeys reads one page from standard input', async () => {
  const stdin = Readable.from([JSON.stringify({ results: [KEY], totalCount: 1 }, null, 2)]);
  await expect(readKeys(['-'], ORG, stdin)).resolves.toEqual([FOUND]);
});

it('api-keys refuses pages of which one is missing, although another has a key again', async () => {
  const pages = [writePage('keys-1.json', 3, KEY), writePage('keys-3.json', 3, KEY, OTHER_KEY)];
  const { code, stderr } = await run(['api-keys', '--org', ORG, '--keys', ...pages]);
  expect(code).toBe(2);
  expect(stderr).toContain(
    `--keys has only 2 of 3 API keys: name a file for each page that this prints: ${WHAT}`,
  );
});
