import { Readable } from 'node:stream';
import { makeRequest, readRequests } from '../../../../src/commands/runs/request';
import { workflowIdFor } from '../../../../src/contract/names';
import { newOrgId } from '../../../support/ids';
import { temporaryFiles } from '../../temporary-folder';

const { fileIn, fileOf } = temporaryFiles();

const newRequest = (more: { requestedBy?: string; sourceOrgId?: string } = {}) => ({
  ...{ orgId: newOrgId(), accessListIps: ['192.31.196.7'], sink: 'files' },
  ...more,
});

const requestsIn = (content: string | Buffer) => readRequests(fileOf(content), undefined);

const [A, B] = [newRequest({ requestedBy: 'Zoë' }), newRequest({ sourceOrgId: newOrgId() })];
const [a, b] = [JSON.stringify(A), JSON.stringify(B)];

describe('the access list of a request', () => {
  const make = (options: { ip?: string[]; ipsFile?: string; accessList: boolean }) =>
    makeRequest({ org: A.orgId, sink: 'files', ...options }, 'nothing was started', undefined);

  it('has the addresses of --ip, then the lines of --ips-file without comments and blank ones', async () => {
    const ipsFile = fileOf('# the source\r\n192.31.196.7 # first host\r\n\r\n  2001:4:112::/48');
    const { request } = await make({ ip: ['192.52.193.1'], ipsFile, accessList: true });
    expect(request.accessListIps).toEqual(['192.52.193.1', '192.31.196.7', '2001:4:112::/48']);
  });

  it('is empty with --no-access-list', async () => {
    expect((await make({ accessList: false })).request.accessListIps).toEqual([]);
  });
});

describe('a file of requests', () => {
  it.each<[what: string, content: string, lines: [number, number]]>([
    ['without a line feed at its end', `${a}\n${b}`, [1, 2]],
    ['from Windows, with a byte order mark', `\uFEFF${a}\r\n${b}\r\n`, [1, 2]],
    ['with blank lines', `\n${a}\n\n  \n${b}\n\n`, [2, 5]],
  ])('%s', async (_what, content, [first, second]) => {
    expect(await requestsIn(content)).toEqual([
      { line: first, workflowId: workflowIdFor(A.orgId), request: A },
      { line: second, workflowId: workflowIdFor(B.orgId, B.sourceOrgId), request: B },
    ]);
  });

  it('is read from standard input where it is -', async () => {
    const read = await readRequests('-', Readable.from([`${a}\n`, `${b}\n`]));
    expect(read.map(({ request }) => request)).toEqual([A, B]);
  });

  it('has each of its problems named with its line', async () => {
    const lines = [
      ...[a, '{"orgId"', JSON.stringify({ ...newRequest(), orgId: 'ABC', sink: '' }), '', a, b],
      JSON.stringify({ ...newRequest(), again: true }),
    ];
    await expect(requestsIn(lines.join('\n'))).rejects.toMatchObject({
      exitCode: 2,
      lines: [
        expect.stringMatching(/^nothing was started: --from \S+ has problems in 4 lines$/),
        '  line 2: is not JSON: write one request as a JSON object on each line',
        expect.stringMatching(/^ {2}line 3: orgId is not 24 .*; sink is empty: name a configured sink$/),
        '  line 5: is for the same organizations as line 1: remove one',
        '  line 7: again is for one request: remove it, or use start --again',
      ],
    });
  });

  it('has its first hundred problems named, since all lines of a binary file are wrong', async () => {
    const error: unknown = await requestsIn('x\n'.repeat(300)).catch((refused: unknown) => refused);
    expect(error).toMatchObject({ lines: { length: 101 }, message: expect.stringContaining('in 300 lines') });
  });

  it.each<[what: string, file: () => string, message: string]>([
    ['that is not there', () => fileIn('none'), 'cannot be read (ENOENT)'],
    ['that is empty', () => fileOf('\n \r\n'), 'contains no request'],
    ['in UTF-16', () => fileOf(Buffer.from(`\uFEFF${a}\n`, 'utf16le')), 'line 1: is not JSON'],
  ])('%s is refused', async (_what, newFile, message) => {
    await expect(readRequests(newFile(), undefined)).rejects.toThrow(message);
  });
});
