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
    }),
  ),
  totalCount: z.int(),
});

export type ApiKey = z.output<typeof keyList>['results'][number];

const HOW = 'atlas organizations apiKeys list --orgId … --limit 500 --page … --output json';

/**
 * Reads the pages of a list of API keys, in any order.
 *
 * @param files `-` for standard input.
 * @throws CommandError when they are not the whole list of an organization's API keys.
 */
export async function readKeys(files: readonly string[], stdin: Stdin): Promise<ApiKey[]> {
  const keys = new Map<string, ApiKey>();
  let totalCount = 0;
  for (const file of files) {
    const lines = await readLines('--keys', file, stdin);
    const page = parsePage(file, lines.map(({ text }) => text).join('\n'));
    for (const key of page.results) keys.set(key.id, key);
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
