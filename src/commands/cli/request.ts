import { checkRequest } from '../../contract/check-request';
import type { PrepareRequest } from '../../contract/schemas';
import { CommandError, EXIT_CODES } from './command-error';
import { inputFile } from './input-file';
import type { RequestOptions } from './options';

/** Far above the 1,000 entries that a list may have. */
const MAX_FILE_BYTES = 1024 * 1024;

/**
 * Makes the request, and checks what needs no configuration before anything is started.
 *
 * @param consequence of a problem, such as `nothing was started`.
 * @throws CommandError with every problem, and exit code 2.
 */
export function requestOf(options: RequestOptions, consequence: string): PrepareRequest {
  const request: PrepareRequest = {
    orgId: options.org,
    accessListIps: addressesOf(options),
    sink: options.sink,
    ...(options.sourceOrg && { sourceOrgId: options.sourceOrg }),
    ...(options.requestedBy && { requestedBy: options.requestedBy }),
    ...(options.changeReference && { changeReference: options.changeReference }),
  };
  const { problems } = checkRequest(request);
  if (problems.length === 0) return request;
  throw new CommandError(
    [
      `${consequence}: the request has ${problems.length} problem(s)`,
      ...problems.map(({ field, description }) => `  ${field} ${description}`),
    ],
    EXIT_CODES.usage,
  );
}

/** An empty list must be asked for: only a source that skips the access list can use such a token. */
function addressesOf({ ip = [], ipsFile, accessList }: RequestOptions): string[] {
  if (ip.length > 0 || ipsFile !== undefined || !accessList) {
    return [...ip, ...(ipsFile === undefined ? [] : readIpsFile(ipsFile))];
  }
  throw new CommandError(
    "no address: name the source's addresses with --ip or --ips-file, or pass --no-access-list for a source that skips the access list",
    EXIT_CODES.usage,
  );
}

function readIpsFile(file: string): string[] {
  const { stats, invalid, read } = inputFile('--ips-file', file, 'write the list to one, or repeat --ip');
  if (stats.size > MAX_FILE_BYTES) throw invalid('is larger than 1 MiB: name a list of addresses');
  const entries = read()
    .toString('utf8')
    .split(/\r?\n/)
    .map((line) => line.replace(/#.*/, '').trim())
    .filter((line) => line !== '');
  if (entries.length === 0) {
    throw invalid('contains no address: pass --no-access-list instead to send an empty list');
  }
  return entries;
}
