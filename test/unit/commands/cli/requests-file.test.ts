import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import fc from 'fast-check';
import {
  openRequestsFile,
  type NumberedRequest,
  type RequestsFile,
} from '../../../../src/commands/cli/requests-file';
import { workflowIdFor } from '../../../../src/contract/names';
import { newOrgId } from '../../../support/ids';
import { rejectionOf } from '../../rejection';
import { temporaryFolder } from '../../temporary-folder';

const fileIn = temporaryFolder();

function fileOf(content: string | Buffer): string {
  const file = fileIn(newOrgId());
  writeFileSync(file, content);
  return file;
}

function newPipe(): string {
  execFileSync('mkfifo', [fileIn('pipe')]);
  return fileIn('pipe');
}

const newRequest = (more: { requestedBy?: string; sourceOrgId?: string } = {}) => ({
  orgId: newOrgId(),
  accessListIps: ['192.31.196.7'],
  sink: 'files',
  ...more,
});

async function allIn(file: RequestsFile): Promise<NumberedRequest[]> {
  const read: NumberedRequest[] = [];
  for await (const request of file.requests()) read.push(request);
  return read;
}

async function requestsIn(content: string | Buffer) {
  const file = await openRequestsFile(fileOf(content));
  const read = await allIn(file);
  expect(read).toHaveLength(file.count);
  return read;
}

const [A, B] = [newRequest({ requestedBy: 'Zoë' }), newRequest({ sourceOrgId: newOrgId() })];
const [a, b] = [JSON.stringify(A), JSON.stringify(B)];

describe('a file of requests', () => {
  it.each<[what: string, content: string, lines: [number, number]]>([
    ['with line feeds', `${a}\n${b}\n`, [1, 2]],
    ['without one at its end', `${a}\n${b}`, [1, 2]],
    ['from Windows, with a byte order mark', `\uFEFF${a}\r\n${b}\r\n`, [1, 2]],
    ['with blank lines', `\n${a}\n\n  \n${b}\n\n`, [2, 5]],
  ])('%s', async (_what, content, [first, second]) => {
    expect(await requestsIn(content)).toEqual([
      { line: first, workflowId: workflowIdFor(A.orgId), request: A },
      { line: second, workflowId: workflowIdFor(B.orgId, B.sourceOrgId), request: B },
    ]);
  });

  it('is read whatever the lengths of its lines and the sizes of its chunks', async () => {
    const texts = fc.array(fc.string({ unit: 'grapheme', maxLength: 20 }), { minLength: 1, maxLength: 40 });
    const padding = fc.integer({ min: 0, max: 100_000 });
    await fc.assert(
      fc.asyncProperty(texts, padding, async (names, spaces) => {
        const requests = names.map((requestedBy) => newRequest({ requestedBy }));
        const lines = requests.map((request) => `${' '.repeat(spaces)}${JSON.stringify(request)}\n`);
        expect((await requestsIn(lines.join(''))).map(({ request }) => request)).toEqual(requests);
      }),
      { numRuns: 20 },
    );
  });

  it('has each of its problems named with its line', async () => {
    const content = Buffer.concat([
      Buffer.from(`${a}\n{"orgId"\n[]\n`),
      Buffer.from(JSON.stringify({ ...newRequest(), orgId: 'ABC', sink: '' })),
      Buffer.from(`\n"${'x'.repeat(128 * 1024)}"\n\n`),
      Buffer.from('{"sink":"\xff"}\n', 'latin1'),
      Buffer.from(`${a}\n${b}\n${JSON.stringify({ ...newRequest(), sinks: 1 })}`),
    ]);
    const error = await rejectionOf(requestsIn(content));
    expect((error as Error).message.split('\n')).toEqual([
      expect.stringMatching(/^nothing was started: --from \S+ has problems in 7 line\(s\)$/),
      '  line 2: is not JSON: write one request as a JSON object on each line',
      expect.stringMatching(/^ {2}line 3: request is not an object: write orgId, accessListIps and sink$/),
      expect.stringMatching(/^ {2}line 4: orgId is not 24 .*; sink is empty: name a configured sink$/),
      '  line 5: is longer than 128 KiB',
      '  line 7: is not UTF-8',
      '  line 8: is for the same organizations as line 1: remove one',
      '  line 10: sinks is not a field of a request: remove it',
    ]);
    expect(error).toMatchObject({ exitCode: 2 });
  });

  it.each<[what: string, file: () => string, message: string]>([
    ['that is not there', () => fileIn('none'), 'cannot be read (ENOENT)'],
    ['that is a folder', () => fileIn(), 'is not a regular file: write the requests to one'],
    ['that is a pipe', newPipe, 'is not a regular file'],
    ['that is empty', () => fileOf('\n \r\n'), 'contains no request'],
    ['in UTF-16', () => fileOf(Buffer.from(`\uFEFF${a}\n`, 'utf16le')), 'line 1: is not UTF-8'],
  ])('%s is refused', async (_what, newFile, message) => {
    await expect(openRequestsFile(newFile())).rejects.toThrow(message);
  });

  it('that changes after it was checked is refused at the line that is no longer valid', async () => {
    const path = fileOf(`${a}\n${b}\n`);
    const file = await openRequestsFile(path);
    writeFileSync(path, `${a}\n{}\n`);
    await expect(allIn(file)).rejects.toThrow('has changed: line 2: orgId is missing');
  });
});
