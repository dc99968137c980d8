import type { PrepareRequest } from '../../contract/schemas';
import { workflowIdFor } from '../../contract/workflow-id';
import { validateFields } from '../../requests/validate-fields';
import { describeProblems } from '../../shared/invalid-request';
import { toObject } from '../../shared/object';
import { formatCount } from '../../shared/text';
import { usageError } from '../cli/command-error';
import { readLines, type Stdin } from '../cli/read-lines';

/** A request, with its line if it is in a file. */
export interface StartRequest {
  line?: number;
  workflowId: string;
  request: PrepareRequest;
  /** Present for a line of `list`: that of the run. */
  taskQueue?: string;
}

/** Bounds the message: in a binary file, every line is a problem. */
const MAX_LINES_LISTED = 100;

/**
 * Reads the requests of the file that `--from` names, one on each line, or in each line of
 * `list --details --json`. Of several runs of a pair, `list` prints the newest first, which counts.
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
    const parsed = parseLine(text);
    if (typeof parsed === 'string') return `  line ${line}: ${parsed}`;
    const workflowId = workflowIdFor(parsed.request);
    const earlier = requests.get(workflowId);
    if (!earlier) requests.set(workflowId, { line, workflowId, ...parsed });
    else if (parsed.taskQueue === undefined) {
      return `  line ${line}: is for the same organizations as line ${earlier.line}: remove one`;
    }
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

/** @returns what is wrong with the line, as a text. */
function parseLine(text: string): Pick<StartRequest, 'request' | 'taskQueue'> | string {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return 'is not JSON: write one request as a JSON object on each line';
  }
  const { taskQueue, request: ofRun } = toObject(value);
  const isRun = typeof taskQueue === 'string';
  if (isRun && !ofRun) return 'is a run without its request: list runs with --details';
  const { problems } = validateFields(isRun ? ofRun : value);
  if (problems.length > 0) return describeProblems(problems);
  const request = (isRun ? ofRun : value) as PrepareRequest;
  // A file that can be repeated would create another token each time.
  if (request.again === true) {
    return (
      'has "again": true, which a file may not have: write the id of the run whose token you' +
      ' replace, or start this request alone with start --again'
    );
  }
  return isRun ? { request, taskQueue } : { request };
}
