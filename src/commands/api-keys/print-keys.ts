import { formatCount } from '../../shared/text';
import { usageError } from '../cli/command-error';
import type { CommandContext } from '../cli/context';
import { addRecord } from './add-record';
import { describeMatch } from './describe-match';
import { joinKeys, madeAtMs, nameToken, type Match } from './join-keys';
import { readHistories } from './read-histories';
import type { ApiKey } from './read-keys';
import { readRecord, type LogRecord } from './read-record';

/** What to do with a key, by its state. */
const ADVICE: Record<Match['state'], string> = {
  delivered: 'delete the key once all migrations with its token are over',
  open: 'leave it, or cancel the run first',
  abandoned: 'delete it, unless a sink that was tried had the token, or somebody opened it by hand',
  orphan:
    'delete it, unless it may be of another namespace, of a run that Temporal deleted early or' +
    ' lost in a restore, or of a link-token that somebody made by hand',
  unknown: 'leave it for now, and find out more by its reason',
};

/** Prints the API keys of link-tokens in an organization's list, each with its token. */
export async function printKeys(
  { client, output }: CommandContext,
  orgId: string,
  keys: readonly ApiKey[],
  options: { record: readonly string[]; completeSince: Date | null },
): Promise<void> {
  const record = await readRecord(options.record, orgId);
  output.note(...describeRecord(record));
  const sinceMs = findStart(record, options.completeSince);
  const known = addRecord(await readHistories(client, orgId), { ...record, sinceMs });
  const matches = joinKeys(keys, known, Date.now());
  const withoutKey = known.tokens.filter(({ publicApiKey }) => publicApiKey === null);
  const states = new Set(matches.map(({ state }) => state));

  const count = formatCount(keys.length, 'key');
  const { namespace } = client.options;
  output.say(
    `organization ${orgId}, runs of namespace ${namespace}:` +
      ` ${count}, ${matches.length} of link-tokens`,
  );
  for (const match of matches) {
    const { key, ...rest } = match;
    const { id: keyId, publicKey, desc: description } = key;
    const madeAt = `${new Date(madeAtMs(key)).toISOString().slice(0, 19)}Z`;
    output.print(
      { orgId, keyId, publicKey, madeAt, description, ...rest },
      `${keyId}  ${publicKey}  ${madeAt}  ${describeMatch(match)}`,
    );
  }
  output.print(
    { orgId, namespace, keys: keys.length, ofLinkTokens: matches.length, withoutKey },
    withoutKey.map((token) => `${nameToken(token)} of ${token.createdAt}: its key is not known`),
  );
  output.say(...[...states].map((state) => `${state}: ${ADVICE[state]}`));
}

/** Says what was read of the record, in which a missing line could hide a token. */
function describeRecord({ lineCount, otherCount, firstMs }: LogRecord): (string | null)[] {
  if (lineCount === 0) return [];
  const since = new Date(firstMs).toISOString();
  return [
    `--record has ${formatCount(lineCount, 'line')} of workers, since ${since}`,
    otherCount > 0 ? `--record has ${formatCount(otherCount, 'line')} of something else` : null,
  ];
}

/** Returns since when the record is complete, in milliseconds since 1970: only a person knows. */
function findStart({ firstMs }: LogRecord, completeSince: Date | null): number {
  if (completeSince === null) return Infinity;
  if (firstMs <= completeSince.getTime()) return completeSince.getTime();
  throw usageError(
    firstMs === Infinity
      ? '--complete-since says something of --record: name its files, too'
      : `--record begins only at ${new Date(firstMs).toISOString()}:` +
          ' write this time as --complete-since, or name the files before it',
  );
}
