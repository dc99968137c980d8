import { readFileSync, statSync } from 'node:fs';
import type { Command } from 'commander';
import { checkRequest } from '../contract/check-request';
import type { PrepareRequest } from '../contract/names';
import { CommandError, EXIT_CODES } from './command-error';

/** Options that make a request. */
export interface RequestOptions {
  org: string;
  ip: string[];
  ipsFile?: string;
  sink: string;
  sourceOrg?: string;
  requestedBy?: string;
  changeReference?: string;
}

/** Far above the 1,000 entries a list may have. */
const MAX_FILE_BYTES = 1024 * 1024;

const collect = (value: string, previous: string[]) => [...previous, value];

export function addRequestOptions(command: Command): Command {
  return command
    .requiredOption('--org <id>', 'Atlas organization in which the link-token is created')
    .option('--ip <address>', 'address or CIDR block of the source (repeatable)', collect, [])
    .option('--ips-file <file>', 'file with one address or CIDR block a line; # starts a comment')
    .requiredOption('--sink <name>', "sink in the worker's configuration")
    .option('--source-org <id>', 'organization of Cloud Manager or Ops Manager that will use the token')
    .option('--requested-by <text>', 'who asks, kept for the audit')
    .option('--change-reference <text>', 'change or ticket, kept for the audit');
}

/**
 * Makes the request, and checks what needs no configuration before anything is started.
 *
 * @throws CommandError with every problem, and exit code 2.
 */
export function requestOf(options: RequestOptions): PrepareRequest {
  const request: PrepareRequest = {
    orgId: options.org,
    accessListIps: [...options.ip, ...(options.ipsFile ? readIpsFile(options.ipsFile) : [])],
    sink: options.sink,
    ...(options.sourceOrg && { sourceOrgId: options.sourceOrg }),
    ...(options.requestedBy && { requestedBy: options.requestedBy }),
    ...(options.changeReference && { changeReference: options.changeReference }),
  };
  const { problems } = checkRequest(request);
  if (problems.length === 0) return request;
  const lines = problems.map(({ field, description }) => `  ${field} ${description}`);
  throw new CommandError(
    `nothing was started; the request has ${lines.length} problem(s):\n${lines.join('\n')}`,
    EXIT_CODES.usage,
  );
}

function readIpsFile(file: string): string[] {
  const refuse = (why: string) => new CommandError(`--ips-file ${file} ${why}`, EXIT_CODES.usage);
  let text: string;
  try {
    if (statSync(file).size > MAX_FILE_BYTES) throw refuse('is larger than 1 MiB: name a list of addresses');
    text = readFileSync(file, 'utf8');
  } catch (error) {
    if (error instanceof CommandError) throw error;
    throw refuse(`cannot be read (${(error as NodeJS.ErrnoException).code ?? 'unknown'})`);
  }
  const entries = text
    .split(/\r?\n/)
    .map((line) => line.replace(/#.*/, '').trim())
    .filter((line) => line !== '');
  if (entries.length === 0) throw refuse('holds no address: leave the option out to send an empty list');
  return entries;
}
