import { createReadStream } from 'node:fs';
import { checkRequest, describeProblems } from '../../contract/check-request';
import { workflowIdFor } from '../../contract/names';
import type { PrepareRequest } from '../../contract/schemas';
import { CommandError, EXIT_CODES } from './command-error';
import { inputFile, type InputFile } from './input-file';

/** More than a request with 1,000 addresses takes. */
const MAX_LINE_BYTES = 128 * 1024;

export interface NumberedRequest {
  line: number;
  workflowId: string;
  request: PrepareRequest;
}

type Line = NumberedRequest | { line: number; problem: string };

export type RequestsFile = Awaited<ReturnType<typeof openRequestsFile>>;

/**
 * Checks every line of a file with a request as JSON on each. It is read twice, and never held in memory.
 *
 * @throws CommandError with the problems of every line, and exit code 2.
 */
export async function openRequestsFile(path: string) {
  const file = inputFile('--from', path, 'write the requests to one');
  const lineOf = new Map<string, number>();
  const problems: string[] = [];
  for await (const read of linesOf(path, file)) {
    const earlier = 'workflowId' in read ? lineOf.get(read.workflowId) : undefined;
    if ('problem' in read) problems.push(`  line ${read.line}: ${read.problem}`);
    else if (earlier === undefined) lineOf.set(read.workflowId, read.line);
    else problems.push(`  line ${read.line}: is for the same organizations as line ${earlier}: remove one`);
  }
  if (problems.length > 0) {
    const summary = `nothing was started: --from ${path} has problems in ${problems.length} line(s)`;
    throw new CommandError([summary, ...problems], EXIT_CODES.usage);
  }
  if (lineOf.size === 0) throw file.invalid('contains no request');
  return {
    file,
    count: lineOf.size,
    /** @throws CommandError when the file has changed since it was checked. */
    async *requests(): AsyncGenerator<NumberedRequest> {
      for await (const read of linesOf(path, file)) {
        if ('problem' in read) throw file.invalid(`has changed: line ${read.line}: ${read.problem}`);
        yield read;
      }
    },
  };
}

async function* linesOf(path: string, file: InputFile): AsyncGenerator<Line> {
  // Fatal, so that no character is replaced. It drops a byte order mark.
  const decoder = new TextDecoder('utf-8', { fatal: true });
  let line = 0;
  for await (const bytes of splitLines(path, file)) {
    line += 1;
    if (bytes.length > MAX_LINE_BYTES) {
      yield { line, problem: `is longer than ${MAX_LINE_BYTES / 1024} KiB` };
      continue;
    }
    let text: string;
    try {
      text = decoder.decode(Buffer.from(bytes, 'latin1')).trim();
    } catch {
      yield { line, problem: 'is not UTF-8' };
      continue;
    }
    if (text !== '') yield parseLine(line, text);
  }
}

function parseLine(line: number, text: string): Line {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return { line, problem: 'is not JSON: write one request as a JSON object on each line' };
  }
  const { problems } = checkRequest(value);
  if (problems.length > 0) return { line, problem: describeProblems(problems) };
  const request = value as PrepareRequest;
  return { line, workflowId: workflowIdFor(request.orgId, request.sourceOrgId), request };
}

/** Lines as Latin-1, which has a character for each byte. A line that is too long is cut off where that shows. */
async function* splitLines(path: string, file: InputFile): AsyncGenerator<string> {
  let rest = '';
  try {
    for await (const chunk of createReadStream(path, 'latin1') as AsyncIterable<string>) {
      const lines = (rest + chunk).split('\n');
      rest = (lines.pop() ?? '').slice(0, MAX_LINE_BYTES + 1);
      yield* lines;
    }
  } catch (error) {
    throw file.unreadable(error);
  }
  if (rest !== '') yield rest;
}
