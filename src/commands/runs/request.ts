import { CLAIM_NAMES } from '../../contract/claims';
import type { FieldProblem, PrepareRequest } from '../../contract/schemas';
import { validateFields } from '../../requests/validate-fields';
import { formatCount } from '../../shared/text';
import { usageError } from '../cli/command-error';
import type { RequestOptions } from '../cli/options';
import { readLines, type Stdin } from '../cli/read-lines';

/**
 * @param consequence such as `nothing was started`.
 * @throws CommandError with every problem, and exit code 2.
 */
export async function makeRequest(
  options: RequestOptions & { again?: true },
  consequence: string,
  stdin: Stdin,
): Promise<PrepareRequest> {
  const request: PrepareRequest = {
    orgId: getRequiredOption('--org <id>', options.org),
    sink: getRequiredOption('--sink <name>', options.sink),
    accessListIps: await readAddresses(options, stdin),
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
