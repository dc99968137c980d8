import { PassThrough, Readable } from 'node:stream';
import { confirmRevocation, readTokens } from '../../../../src/commands/runs/revoke-tokens';
import { workflowIdFor } from '../../../../src/contract/workflow-id';
import { ORG, aReceipt } from '../../samples';
import { contextWith } from './context';

const TOKEN = { orgId: ORG, publicApiKey: 'abcdefgh' };
const RECEIPT = aReceipt(TOKEN);
const WORKFLOW_ID = workflowIdFor({ orgId: ORG });

const read = (...lines: (object | string)[]) => {
  const texts = lines.map((line) => (typeof line === 'string' ? line : JSON.stringify(line)));
  return readTokens('-', Readable.from([texts.join('\n')]));
};

it.each<[what: string, line: object]>([
  ['a receipt', RECEIPT],
  ['organization and public key', TOKEN],
  ['a delivered line of start', { action: 'delivered', workflowId: WORKFLOW_ID, receipt: RECEIPT }],
  [
    'a failed line of start, whose run could not revoke',
    { workflowId: WORKFLOW_ID, type: 'Cancelled', details: { publicApiKey: 'abcdefgh' } },
  ],
  ['an abandoned line of list', { workflowId: WORKFLOW_ID, publicApiKey: 'abcdefgh' }],
  ['a line of the log', { time: '2026-11-28T10:00:00Z', msg: 'link-token delivered', ...RECEIPT }],
])('a line names a token: %s', async (_what, line) => {
  expect(await read({ total: 1 }, line, line)).toMatchObject([TOKEN]);
});

it.each<[what: string, line: object]>([
  ['a summary', { total: 1, counts: {} }],
  ['a run without a token', { workflowId: WORKFLOW_ID, action: 'cancelled' }],
  ['a key of api-keys that a token names', { orgId: ORG, publicKey: 'abcdefgh', token: TOKEN }],
  ['a token without a readable key', { ...RECEIPT, publicApiKey: null }],
])('a line names no token: %s', async (_what, line) => {
  await expect(read(line)).rejects.toMatchObject({ exitCode: 2, message: /nothing was revoked/ });
});

it('a line that is not JSON stops the command before it revokes anything', async () => {
  await expect(read(TOKEN, '{"orgId"')).rejects.toThrow(/^nothing was revoked: line 2 /);
});

describe('before tokens are revoked', () => {
  async function ask(answer: string | null) {
    const stdin = new PassThrough();
    const { output, errors } = contextWith({}, { json: true });
    const confirmed = confirmRevocation(
      3,
      Object.assign(stdin, { isTTY: answer !== null }),
      output,
    ).then(
      () => true,
      (error: unknown) => (error as Error).message,
    );
    if (answer !== null) stdin.write(`${answer}\n`);
    return { confirmed: await confirmed, errors };
  }

  it.each([
    ['y', true],
    ['Yes', true],
    ['', 'nothing was revoked'],
    ['no', 'nothing was revoked'],
  ])('a terminal is asked with the count, and the answer "%s" gives %s', async (answer, then) => {
    const { confirmed, errors } = await ask(answer);
    expect(confirmed).toBe(then);
    expect(errors.join('')).toMatch(/^delete the API keys of 3 tokens\? /);
  });

  it('a pipe is not asked', async () => {
    expect(await ask(null)).toEqual({ confirmed: true, errors: [] });
  });
});
