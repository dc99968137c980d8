import { readFile } from 'node:fs/promises';
import { text as readText } from 'node:stream/consumers';
import { checkRequest, describeProblems } from '../../checks/check-request';
import { workflowIdFor } from '../../contract/names';
import type { PrepareRequest } from '../../contract/schemas';
import { systemErrorCode } from '../../files';
import { formatCount } from '../../shared/text';
import { CommandError, EXIT_CODES } from '../cli/command-error';
import type { RequestOptions } from './options';

type Stdin = NodeJS.ReadableStream | undefined;

/**
 * Makes a request from options, and checks it by the rules that need no configuration.
 *
 * @param consequence such as `nothing was started`.
 * @throws CommandError with every problem, and exit code 2.
 */
export async function makeRequest(
  options: RequestOptions,
  consequence: string,
  stdin: Stdin,
): Promise<PrepareRequest> {
  const request: PrepareRequest = {
    orgId: requireOption('--org <id>', options.org),
    sink: requireOption('--sink <name>', options.sink),
    accessListIps: await readAddresses(options, stdin),
    ...(options.sourceOrg && { sourceOrgId: options.sourceOrg }),
    ...(options.requestedBy && { requestedBy: options.requestedBy }),
    ...(options.changeReference && { changeReference: options.changeReference }),
  };
  const { problems } = checkRequest(request);
  if (problems.length === 0) return request;
  throw new CommandError(
    [
      `${consequence}: the request has ${formatCount(problems.length, 'problem')}`,
      ...problems.map(({ field, description }) => `  ${field} ${description}`),
    ],
    EXIT_CODES.usage,
  );
}

/** `start --from` needs neither of the options that every other request has, so commander does not require them. */
function requireOption(flags: string, value: string | undefined): string {
  if (value !== undefined) return value;
  throw new CommandError(`required option '${flags}' not specified`, EXIT_CODES.usage);
}

/** Requires an option for an empty list: only a source that skips the access list can use such a token. */
async function readAddresses(
  { ip = [], ipsFile, accessList }: RequestOptions,
  stdin: Stdin,
): Promise<string[]> {
  const lines = ipsFile === undefined ? [] : await readLines('--ips-file', ipsFile, stdin);
  const addresses = [...ip, ...lines.map(({ text }) => text.replace(/#.*/, '').trim()).filter(Boolean)];
  if (addresses.length > 0 || !accessList) return addresses;
  throw new CommandError(
    "no address: name the source's addresses with --ip or --ips-file," +
      ' or pass --no-access-list for a source that skips the access list',
    EXIT_CODES.usage,
  );
}

export interface NumberedRequest {
  line: number;
  workflowId: string;
  request: PrepareRequest;
}

/** Limits the output for a binary file, whose lines are all wrong. */
const MAX_PROBLEMS = 100;

/**
 * Reads and checks a file with a request as JSON on each line.
 *
 * @param file `-` for standard input.
 * @throws CommandError with the problems of the lines, and exit code 2.
 */
export async function readRequests(file: string, stdin: Stdin): Promise<NumberedRequest[]> {
  const requests = new Map<string, NumberedRequest>();
  const problems: string[] = [];
  for (const { number: line, text } of await readLines('--from', file, stdin)) {
    const request = parseRequest(text);
    if (typeof request === 'string') {
      problems.push(`  line ${line}: ${request}`);
      continue;
    }
    const workflowId = workflowIdFor(request.orgId, request.sourceOrgId);
    const earlier = requests.get(workflowId);
    if (earlier)
      problems.push(`  line ${line}: is for the same organizations as line ${earlier.line}: remove one`);
    else requests.set(workflowId, { line, workflowId, request });
  }
  if (problems.length > 0) {
    const more = problems.length - MAX_PROBLEMS;
    throw new CommandError(
      [
        `nothing was started: --from ${file} has problems in ${formatCount(problems.length, 'line')}`,
        ...problems.slice(0, MAX_PROBLEMS),
        ...(more > 0 ? [`  and in ${more} more`] : []),
      ],
      EXIT_CODES.usage,
    );
  }
  if (requests.size > 0) return [...requests.values()];
  throw new CommandError(`nothing was started: --from ${file} contains no request`, EXIT_CODES.usage);
}

/**
 * Reads the lines of a file that an option names, without blank ones.
 *
 * @param file `-` for standard input.
 * @throws CommandError with exit code 2.
 */
async function readLines(option: string, file: string, stdin: Stdin) {
  try {
    // `readFile` of standard input fails with EAGAIN on a pipe.
    const content = file === '-' && stdin ? await readText(stdin) : await readFile(file, 'utf8');
    return content
      .split('\n')
      .map((line, index) => ({ number: index + 1, text: line.trim() }))
      .filter(({ text }) => text !== '');
  } catch (error) {
    throw new CommandError(`${option} ${file} cannot be read (${systemErrorCode(error)})`, EXIT_CODES.usage);
  }
}

/** @returns the request, or what is wrong with it. */
function parseRequest(text: string): PrepareRequest | string {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return 'is not JSON: write one request as a JSON object on each line';
  }
  const { problems } = checkRequest(value);
  if (problems.length > 0) return describeProblems(problems);
  const request = value as PrepareRequest;
  // A file that can be repeated would create another token each time.
  return 'again' in request ? 'again is for one request: remove it, or use start --again' : request;
}
