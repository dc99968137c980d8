import { Readable } from 'node:stream';
import { requestCommand } from '../../../../src/commands/cli/options';
import { makeRequest } from '../../../../src/commands/runs/make-request';
import { readRequests } from '../../../../src/commands/runs/requests-file';
import { prepareRequestSchema } from '../../../../src/contract/schemas';
import { workflowIdFor } from '../../../../src/contract/workflow-id';
import { newOrgId } from '../../../support/ids';
import { aRequest } from '../../samples';
import { temporaryFiles } from '../../temporary-folder';

const { write } = temporaryFiles();

const newRequest = () => aRequest({ orgId: newOrgId() });
const [A, B] = [
  { ...newRequest(), requestedBy: 'Zoë' },
  { ...newRequest(), sourceOrgId: newOrgId() },
];
const [a, b] = [JSON.stringify(A), JSON.stringify(B)];

/** A run in a line of `list --details --json`, as far as it is read. */
const listed = (request: object, taskQueue = 'prep') => ({ state: 'failed', taskQueue, request });

it('a request has the addresses of --ip, then those of --ips-file', async () => {
  const make = (options: { ip?: string[]; ipsFile?: string; accessList: boolean }) =>
    makeRequest({ org: A.orgId, sink: 'drop', ...options }, 'nothing was started', undefined);
  const ipsFile = write(
    'ips',
    '# the source\r\n192.31.196.7 # first host\r\n\r\n  2001:4:112::/48',
  );
  const request = await make({ ip: ['192.52.193.1'], ipsFile, accessList: true });
  expect(request.accessListIps).toEqual(['192.52.193.1', '192.31.196.7', '2001:4:112::/48']);
  expect((await make({ accessList: false })).accessListIps).toEqual([]);
});

it('every field of a request has an option', async () => {
  const ids = { '--org': newOrgId(), '--source-org': newOrgId() };
  const values: Record<string, string> = { ...ids, '--ip': '192.31.196.7' };
  const command = requestCommand('start');
  const names = command.options.map(({ long }) => String(long));
  const withValue = names.filter((name) => !['--ips-file', '--no-access-list'].includes(name));
  const args = withValue.flatMap((name) => [name, values[name] ?? 'a text']);
  const options = { ...command.parse(args, { from: 'user' }).opts(), again: true } as const;
  const request = await makeRequest(options, 'nothing was started', undefined);
  const fields = Object.keys(prepareRequestSchema.shape);
  expect(Object.keys(request).sort()).toEqual(fields.sort());
});

it('an empty source organization is refused: an unset variable would name another pair', async () => {
  const options = { org: A.orgId, sourceOrg: '', sink: 'drop', accessList: false };
  await expect(makeRequest(options, 'nothing was started', undefined)).rejects.toMatchObject({
    exitCode: 2,
    lines: [expect.any(String), expect.stringMatching(/^ {2}sourceOrgId is /)],
  });
});

describe('a file of requests', () => {
  const requestsIn = (content: string) => readRequests(write('requests', content), undefined);

  it('may come from Windows, have blank lines, and be standard input', async () => {
    const requests = [
      { line: 2, workflowId: workflowIdFor(A), request: A },
      { line: 5, workflowId: workflowIdFor(B), request: B },
    ];
    expect(await requestsIn(`\uFEFF\r\n${a}\r\n\r\n  \r\n${b}`)).toEqual(requests);
    expect(await readRequests('-', Readable.from([`\n${a}\n\n\n`, `${b}\n`]))).toEqual(requests);
  });

  it('may have lines of list --details --json: the newest run of each pair counts', async () => {
    const { sourceOrgId: _, ...ofOrg } = B;
    const runs = [listed(A, 'prep'), listed({ ...A, sink: 'older' }), listed(ofOrg, 'other')];
    const text = runs.map((run) => JSON.stringify(run)).join('\n');
    expect(await requestsIn(text)).toEqual([
      { line: 1, workflowId: workflowIdFor(A), request: A, taskQueue: 'prep' },
      { line: 3, workflowId: workflowIdFor(ofOrg), request: ofOrg, taskQueue: 'other' },
    ]);
  });

  it('has each of its problems named with its line', async () => {
    const lines = [
      a,
      '{"orgId"',
      JSON.stringify({ ...newRequest(), orgId: 'ABC', sink: '' }),
      '',
      a,
      b,
      JSON.stringify({ ...newRequest(), again: true }),
      JSON.stringify({ ...listed(A), request: undefined }),
      JSON.stringify({ ...listed(A), request: { ...A, sink: null } }),
    ];
    await expect(requestsIn(lines.join('\n'))).rejects.toMatchObject({
      exitCode: 2,
      lines: [
        expect.stringMatching(/^nothing was started: --from \S+ has problems in 6 lines$/),
        '  line 2: is not JSON: write one request as a JSON object on each line',
        expect.stringMatching(
          /^ {2}line 3: orgId is not 24 .*; sink is empty: name a configured sink$/,
        ),
        '  line 5: is for the same organizations as line 1: remove one',
        '  line 7: has "again": true, which a file may not have: write the id of the run whose' +
          ' token you replace, or start this request alone with start --again',
        '  line 8: is a run without its request: list runs with --details',
        '  line 9: sink is missing or not a string: name a configured sink',
      ],
    });
  });

  it('has its first hundred problems named, such as in a binary file', async () => {
    const error: unknown = await requestsIn('x\n'.repeat(300)).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({
      lines: { length: 101 },
      message: expect.stringContaining('in 300 lines'),
    });
  });

  it('that is empty is refused', async () => {
    await expect(requestsIn('\n \r\n')).rejects.toThrow('contains no request');
  });
});
