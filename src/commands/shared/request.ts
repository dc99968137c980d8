import { readFile } from 'node:fs/promises';
import { text as readText } from 'node:stream/consumers';
import { workflowIdFor } from '../../contract/formats';
import type { FieldProblem, PrepareRequest } from '../../contract/schemas';
import { systemErrorCode } from '../../files';
import { validateFields, describeProblems } from '../../requests/validate-fields';
import { formatCount } from '../../shared/text';
import { usageError } from '../cli/command-error';
import type { RequestOptions } from './options';

type Stdin = NodeJS.ReadableStream | undefined;

/** A checked request, with the workflow id of its pair of organizations. */
export interface PairRequest {
  workflowId: string;
  request: PrepareRequest;
}

/**
 * @param consequence such as `nothing was started`.
 * @throws CommandError with every problem, and exit code 2.
 */
export async function makeRequest(
  options: RequestOptions & { again?: true },
  consequence: string,
  stdin: Stdin,
) {
  const request: PrepareRequest = {
    orgId: getRequiredOption('--org <id>', options.org),
    sink: getRequiredOption('--sink <name>', options.sink),
    accessListIps: await readAddresses(options, stdin),
  };
  // An empty one, as of an unset variable, is refused: without its source organization, the request
  // would be for another pair.
  if (options.sourceOrg !== undefined) request.sourceOrgId = options.sourceOrg;
  if (options.requestedBy) request.requestedBy = options.requestedBy;
  if (options.changeReference) request.changeReference = options.changeReference;
  if (options.again) request.again = true;
  const { problems } = validateFields(request);
  if (problems.length > 0) throw usageError(describeInvalidRequest(consequence, problems));
  return toPair(request);
}

function toPair(request: PrepareRequest): PairRequest {
  return { workflowId: workflowIdFor(request.orgId, request.sourceOrgId), request };
}

/** Checks what commander cannot: with `start --from`, the same option is not required. */
function getRequiredOption(flags: string, value: string | undefined): string {
  if (value === undefined) throw usageError(`required option '${flags}' not specified`);
  return value;
}

export function describeInvalidRequest(
  consequence: string,
  problems: readonly FieldProblem[],
): string[] {
  return [
    `${consequence}: the request has ${formatCount(problems.length, 'problem')}`,
    ...problems.map(({ field, description }) => `  ${field} ${description}`),
  ];
}

/**
 * An empty list needs --no-access-list, since a source in Ops Manager cannot use such a token.
 */
async function readAddresses({ ip = [], ipsFile, accessList }: RequestOptions, stdin: Stdin) {
  const addresses = [...ip];
  if (ipsFile !== undefined) {
    const lines = await readLines('--ips-file', ipsFile, stdin);
    addresses.push(...lines.map(({ text }) => text.replace(/#.*/, '').trim()).filter(Boolean));
  }
  if (addresses.length > 0 || !accessList) return addresses;
  throw usageError(
    'no address: pass --no-access-list for Cloud Manager, or --ip or --ips-file for Ops Manager',
  );
}

/** A request with its line in a file. */
export type NumberedRequest = PairRequest & { line: number };

/** Bounds the message: in a binary file, every line is a problem. */
const MAX_LINES_LISTED = 100;

/**
 * @param file `-` for standard input.
 * @throws CommandError with the first problems of the lines, and exit code 2.
 */
export async function readRequests(file: string, stdin: Stdin): Promise<NumberedRequest[]> {
  const lines = await readLines('--from', file, stdin);
  if (lines.length === 0) {
    throw usageError(`nothing was started: --from ${file} contains no request`);
  }
  const requests = new Map<string, NumberedRequest>();
  const problems = lines.flatMap(({ line, text }) => {
    const request = parseRequestLine(text);
    if (typeof request === 'string') return `  line ${line}: ${request}`;
    const pair = toPair(request);
    const earlier = requests.get(pair.workflowId);
    if (earlier) {
      return `  line ${line}: is for the same organizations as line ${earlier.line}: remove one`;
    }
    requests.set(pair.workflowId, { line, ...pair });
    return [];
  });
  if (problems.length === 0) return [...requests.values()];
  const first =
    problems.length > MAX_LINES_LISTED ? `, of which these are the first ${MAX_LINES_LISTED}` : '';
  throw usageError([
    `nothing was started: --from ${file} has problems in` +
      ` ${formatCount(problems.length, 'line')}${first}`,
    ...problems.slice(0, MAX_LINES_LISTED),
  ]);
}

/** Reads the lines of a file that an option names, without blank ones. */
async function readLines(option: string, file: string, stdin: Stdin) {
  try {
    // `readFile` of standard input fails with EAGAIN on a pipe.
    const content = await (file === '-' && stdin ? readText(stdin) : readFile(file, 'utf8'));
    const lines = content
      .split('\n')
      .map((text, index) => ({ line: index + 1, text: text.trim() }));
    return lines.filter(({ text }) => text !== '');
  } catch (error) {
    throw usageError(
      `${option} ${file} cannot be read (${systemErrorCode(error)}): correct its path`,
    );
  }
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
  // A file that can be repeated would create another token each time.
  return 'again' in request
    ? 'has the field "again", which a file may not have:' +
        ' remove it, or start this request alone with start --again'
    : request;
}
