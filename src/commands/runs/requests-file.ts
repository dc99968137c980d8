import type { PrepareRequest } from '../../contract/schemas';
import { workflowIdFor } from '../../contract/workflow-id';
import { validateFields } from '../../requests/validate-fields';
import { describeProblems } from '../../shared/invalid-request';
import { formatCount } from '../../shared/text';
import { usageError } from '../cli/command-error';
import { readLines, type Stdin } from '../cli/read-lines';

/** A request, with its line if it is in a file. */
export interface StartRequest {
  line?: number;
  workflowId: string;
  request: PrepareRequest;
}

/** Bounds the message: in a binary file, every line is a problem. */
const MAX_LINES_LISTED = 100;

/**
 * Reads the requests of the file that `--from` names, one on each line.
 *
 * @param file `-` for standard input.
 * @param nothingDone begins the message of an error.
 * @throws CommandError with the first problems of the lines, and exit code 2.
 */
export async function readRequests(
  file: string,
  stdin: Stdin,
  nothingDone = 'nothing was started',
): Promise<StartRequest[]> {
  const lines = await readLines('--from', file, stdin);
  if (lines.length === 0) {
    throw usageError(`${nothingDone}: --from ${file} contains no request`);
  }
  const requests = new Map<string, StartRequest & { line: number }>();
  const problems = lines.flatMap(({ line, text }) => {
    const request = parseRequestLine(text);
    if (typeof request === 'string') return `  line ${line}: ${request}`;
    const workflowId = workflowIdFor(request);
    const earlier = requests.get(workflowId);
    if (earlier) {
      return `  line ${line}: is for the same organizations as line ${earlier.line}: remove one`;
    }
    requests.set(workflowId, { line, workflowId, request });
    return [];
  });
  if (problems.length === 0) return [...requests.values()];
  const first =
    problems.length > MAX_LINES_LISTED ? `, of which these are the first ${MAX_LINES_LISTED}` : '';
  throw usageError([
    `${nothingDone}: --from ${file} has problems in` +
      ` ${formatCount(problems.length, 'line')}${first}`,
    ...problems.slice(0, MAX_LINES_LISTED),
  ]);
}

/** @returns the request, or what is wrong with it. */
function parseRequestLine(text: string): PrepareRequest | string {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return 'is not JSON: write one request as a JSON object on each line';
  }
  const { problems } = validateFields(value);
  if (problems.length > 0) return describeProblems(problems);
  const request = value as PrepareRequest;
  // JSON.parse keeps the last of two. No field holds an object, so colons count fields.
  const fields = text.replace(/"(\\.|[^"\\])*"/g, '').split(':').length - 1;
  if (fields > Object.keys(request).length) return 'has a field twice: remove one';
  // A file that can be repeated would create another token each time.
  return request.again === true
    ? 'has "again": true, which a file may not have: write the id of the run whose token you' +
        ' replace, or start this request alone with start --again'
    : request;
}
