import { CLAIM_NAMES } from '../../contract/claims';
import type { FieldProblem, PrepareRequest } from '../../contract/schemas';
import { validateFields } from '../../requests/validate-fields';
import { formatCount } from '../../shared/text';
import { usageError } from '../cli/command-error';
import { requireOptions, type RequestOptions } from '../cli/options';
import { readLines, type Stdin } from '../cli/read-lines';

/** A source in Ops Manager cannot use a token of an empty access list, so it is not the default. */
const ADDRESSES =
  '--no-access-list for Cloud Manager, or --ip or --ips-file with an address for Ops Manager';

/**
 * @param consequence such as `nothing was started`.
 * @param more options that the command requires, by their flags.
 * @throws CommandError with every problem, and exit code 2.
 */
export async function makeRequest(
  options: RequestOptions & { again?: true },
  consequence: string,
  stdin: Stdin,
  more: Record<string, unknown> = {},
): Promise<PrepareRequest> {
  const required = requireOptions({
    '--org <id>': options.org,
    '--sink <name>': options.sink,
    [ADDRESSES]: await readAddresses(options, stdin),
    ...more,
  });
  const request: PrepareRequest = {
    orgId: required['--org <id>'],
    sink: required['--sink <name>'],
    accessListIps: required[ADDRESSES],
  };
  // An empty one, as of an unset variable, is refused: without its source organization, the request
  // would be for another pair.
  if (options.sourceOrg !== undefined) request.sourceOrgId = options.sourceOrg;
  for (const claim of CLAIM_NAMES) {
    if (options[claim]) request[claim] = options[claim];
  }
  if (options.again) request.again = true;
  const { problems } = validateFields(request);
  if (problems.length > 0) throw usageError(describeInvalidRequest(consequence, problems));
  return request;
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

/** @returns undefined when no option says that the list is empty. */
async function readAddresses({ ip = [], ipsFile, accessList }: RequestOptions, stdin: Stdin) {
  const addresses = [...ip];
  if (ipsFile !== undefined) {
    const lines = await readLines('--ips-file', ipsFile, stdin);
    addresses.push(...lines.map(({ text }) => text.replace(/#.*/, '').trim()).filter(Boolean));
  }
  return addresses.length > 0 || !accessList ? addresses : undefined;
}
