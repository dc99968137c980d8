import { run } from '../../../support/run-command';
import { ORG } from '../../samples';
import { temporaryFiles } from '../../temporary-folder';

const { fileIn, write } = temporaryFiles();

const KEY = { id: '6925711d4f3c2b1a09876543', desc: 'of the billing job' };
const WHAT = 'atlas organizations apiKeys list --orgId … --limit 500 --output json';

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
    JSON.stringify({ results: [{ id: 'x' }], totalCount: 1 }),
    'is not a list of API keys: ',
  ],
  [
    'has one page of two',
    JSON.stringify({ results: [KEY], totalCount: 2 }),
    `has only 1 of 2 API keys: write all that this prints: ${WHAT}`,
  ],
])('api-keys refuses a list that %s, before it calls Temporal', async (_what, text, message) => {
  const file = text === null ? fileIn('nowhere.json') : write('keys.json', text);
  const { code, stdout, stderr } = await run(['api-keys', '--org', ORG, '--keys', file]);
  expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
  expect(stderr).toContain(`--keys ${file} ${message}`);
});
