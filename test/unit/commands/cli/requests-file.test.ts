import { truncateSync } from 'node:fs';
import fc from 'fast-check';
import { readRequestsFile } from '../../../../src/commands/cli/requests-file';
import { workflowIdFor } from '../../../../src/contract/names';
import { newOrgId } from '../../../support/ids';
import { temporaryFiles } from '../../temporary-folder';

const { fileIn, fileOf, newPipe } = temporaryFiles();

function newHugeFile(): string {
  const file = fileOf('');
  truncateSync(file, 64 * 1024 * 1024 + 1);
  return file;
}

function errorOf(work: () => unknown): Error {
  try {
    work();
  } catch (error) {
    return error as Error;
  }
  throw new Error('it did not fail');
}

const newRequest = (more: { requestedBy?: string; sourceOrgId?: string } = {}) => ({
  orgId: newOrgId(),
  accessListIps: ['192.31.196.7'],
  sink: 'files',
  ...more,
});

const requestsIn = (content: string | Buffer) => readRequestsFile(fileOf(content)).requests;

const [A, B] = [newRequest({ requestedBy: 'Zoë' }), newRequest({ sourceOrgId: newOrgId() })];
const [a, b] = [JSON.stringify(A), JSON.stringify(B)];

describe('a file of requests', () => {
  it.each<[what: string, content: string, lines: [number, number]]>([
    ['with line feeds', `${a}\n${b}\n`, [1, 2]],
    ['without one at its end', `${a}\n${b}`, [1, 2]],
    ['from Windows, with a byte order mark', `\uFEFF${a}\r\n${b}\r\n`, [1, 2]],
    ['with a line of 128 KiB', `${a}\n${b.padEnd(128 * 1024)}`, [1, 2]],
    ['with blank lines', `\n${a}\n\n  \n${b}\n\n`, [2, 5]],
  ])('%s', (_what, content, [first, second]) => {
    expect(requestsIn(content)).toEqual([
      { line: first, workflowId: workflowIdFor(A.orgId), request: A },
      { line: second, workflowId: workflowIdFor(B.orgId, B.sourceOrgId), request: B },
    ]);
  });

  it('is read whatever its lines hold', () => {
    const texts = fc.array(fc.string({ unit: 'grapheme', maxLength: 20 }), { minLength: 1, maxLength: 40 });
    fc.assert(
      fc.property(texts, (names) => {
        const requests = names.map((requestedBy) => newRequest({ requestedBy }));
        const lines = requests.map((request) => `${JSON.stringify(request)}\n`);
        expect(requestsIn(lines.join('')).map(({ request }) => request)).toEqual(requests);
      }),
      { numRuns: 20 },
    );
  });

  it('has each of its problems named with its line', () => {
    const content = Buffer.concat([
      Buffer.from(`${a}\n{"orgId"\n[]\n`),
      Buffer.from(JSON.stringify({ ...newRequest(), orgId: 'ABC', sink: '' })),
      Buffer.from(`\n"${'x'.repeat(128 * 1024)}"\n\n`),
      Buffer.from('{"sink":"\xff"}\n', 'latin1'),
      Buffer.from(`${a}\n${b}\n${JSON.stringify({ ...newRequest(), sinks: 1 })}`),
    ]);
    const error = errorOf(() => requestsIn(content));
    expect(error.message.split('\n')).toEqual([
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
    ['over 64 MiB', newHugeFile, 'is larger than 64 MiB: split it'],
    ['that is empty', () => fileOf('\n \r\n'), 'contains no request'],
    ['in UTF-16', () => fileOf(Buffer.from(`\uFEFF${a}\n`, 'utf16le')), 'line 1: is not UTF-8'],
  ])('%s is refused', (_what, newFile, message) => {
    expect(() => readRequestsFile(newFile())).toThrow(message);
  });
});
