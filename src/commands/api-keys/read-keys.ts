import { z } from 'zod';
import { usageError } from '../cli/command-error';
import { readLines, type Stdin } from '../cli/read-lines';

/**
 * The output of `atlas organizations apiKeys list --output json`. The id of a key has the time of
 * its creation.
 */
const keyList = z.object({
  results: z.array(z.object({ id: z.string().regex(/^[\da-f]{24}$/), desc: z.string().catch('') })),
  totalCount: z.int(),
});

export type ApiKey = z.output<typeof keyList>['results'][number];

const HOW = 'atlas organizations apiKeys list --orgId … --limit 500 --output json';

/**
 * @param file `-` for standard input.
 * @throws CommandError when it is not the whole list of an organization's API keys.
 */
export async function readKeys(file: string, stdin: Stdin): Promise<ApiKey[]> {
  const lines = await readLines('--keys', file, stdin);
  const text = lines.map((line) => line.text).join('\n');
  const { results, totalCount } = parseList(file, text);
  if (totalCount <= results.length) return results;
  throw usageError(
    `--keys ${file} has only ${results.length} of ${totalCount} API keys:` +
      ` write all that this prints: ${HOW}`,
  );
}

function parseList(file: string, text: string): z.output<typeof keyList> {
  try {
    return keyList.parse(JSON.parse(text));
  } catch {
    throw usageError(`--keys ${file} is not a list of API keys: write what this prints: ${HOW}`);
  }
}
