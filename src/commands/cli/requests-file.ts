import { checkRequest, describeProblems } from '../../contract/check-request';
import { workflowIdFor } from '../../contract/names';
import type { PrepareRequest } from '../../contract/schemas';
import { CommandError, EXIT_CODES } from './command-error';
import { inputFile } from './input-file';

/** Far more than 100,000 requests take. */
const MAX_FILE_BYTES = 64 * 1024 * 1024;
/** More than a request with 1,000 addresses takes. */
const MAX_LINE_BYTES = 128 * 1024;

export interface NumberedRequest {
  line: number;
  workflowId: string;
  request: PrepareRequest;
}

export type RequestsFile = ReturnType<typeof readRequestsFile>;

/**
 * Reads and checks a file with a request as JSON on each line.
 *
 * @throws CommandError with the problems of every line, and exit code 2.
 */
export function readRequestsFile(path: string) {
  const file = inputFile('--from', path, 'write the requests to one');
  if (file.stats.size > MAX_FILE_BYTES) throw file.invalid('is larger than 64 MiB: split it');
  const requests: NumberedRequest[] = [];
  const lineOf = new Map<string, number>();
  const problems: string[] = [];
  // As Latin-1, in which a line keeps its bytes whatever it holds.
  for (const [index, text] of file.read().toString('latin1').split('\n').entries()) {
    const line = index + 1;
    const read = parseLine(Buffer.from(text, 'latin1'));
    if (read === null) continue;
    if (typeof read === 'string') {
      problems.push(`  line ${line}: ${read}`);
      continue;
    }
    const workflowId = workflowIdFor(read.orgId, read.sourceOrgId);
    const earlier = lineOf.get(workflowId);
    if (earlier === undefined) lineOf.set(workflowId, line);
    else problems.push(`  line ${line}: is for the same organizations as line ${earlier}: remove one`);
    requests.push({ line, workflowId, request: read });
  }
  if (problems.length > 0) {
    const summary = `nothing was started: --from ${path} has problems in ${problems.length} line(s)`;
    throw new CommandError([summary, ...problems], EXIT_CODES.usage);
  }
  if (requests.length === 0) throw file.invalid('contains no request');
  return { stats: file.stats, requests };
}

/** The request on a line, or what is wrong with the line; null when it is blank. */
function parseLine(bytes: Buffer): PrepareRequest | string | null {
  if (bytes.length > MAX_LINE_BYTES) return `is longer than ${MAX_LINE_BYTES / 1024} KiB`;
  let text: string;
  try {
    // Fatal, so that no character is replaced. It drops a byte order mark.
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes).trim();
  } catch {
    return 'is not UTF-8';
  }
  if (text === '') return null;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return 'is not JSON: write one request as a JSON object on each line';
  }
  const { problems } = checkRequest(value);
  return problems.length > 0 ? describeProblems(problems) : (value as PrepareRequest);
}
