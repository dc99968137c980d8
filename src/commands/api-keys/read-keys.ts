import { z } from 'zod';
import { usageError } from '../cli/command-error';
import { readLines, type Stdin } from '../cli/read-lines';

/**
 * The output of `atlas organizations apiKeys list --output json`. The id of a key has the time of
 * its creation.
 */
const keyList = z.object({
  results: z.array(
    z.object({
      id: z.string().regex(/^[\da-f]{24}$/),
      publicKey: z.string(),
      desc: z.string().catch(''),
      // A role in a project has no organization.
      roles: z.array(z.object({ orgId: z.string().optional(), roleName: z.string() })).catch([]),
    }),
  ),
  totalCount: z.int(),
});

export interface ApiKey {
  id: string;
  publicKey: string;
  /** Its description. */
  desc: string;
  /** True if it has the role Organization Owner, as each key of a link-token has. */
  isOwner: boolean;
}

const HOW = 'atlas organizations apiKeys list --orgId … --limit 500 --page … --output json';

/**
 * Reads the pages of a list of API keys, in any order.
 *
 * @param files `-` for standard input.
 * @throws CommandError when they are not the whole list of this organization's API keys.
 */
export async function readKeys(
  files: readonly string[],
  orgId: string,
  stdin: Stdin,
): Promise<ApiKey[]> {
  const keys = new Map<string, ApiKey>();
  let totalCount = 0;
  for (const file of files) {
    const lines = await readLines('--keys', file, stdin);
    const page = parsePage(file, lines.map(({ text }) => text).join('\n'));
    for (const { id, publicKey, desc, roles } of page.results) {
      const other = roles.find((role) => role.orgId !== undefined && role.orgId !== orgId);
      if (other) throw usageError(`--keys ${file} is the list of organization ${other.orgId}`);
      const isOwner = roles.some(({ roleName }) => roleName === 'ORG_OWNER');
      keys.set(id, { id, publicKey, desc, isOwner });
    }
    totalCount = Math.max(totalCount, page.totalCount);
  }
  if (keys.size >= totalCount) return [...keys.values()];
  throw usageError(
    `--keys has only ${keys.size} of ${totalCount} API keys:` +
      ` name a file for each page that this prints: ${HOW}`,
  );
}

function parsePage(file: string, text: string): z.output<typeof keyList> {
  try {
    return keyList.parse(JSON.parse(text));
  } catch {
    throw usageError(`--keys ${file} is not a list of API keys: write what this prints: ${HOW}`);
  }
}
