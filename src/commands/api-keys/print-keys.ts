import { commandLine } from '../../shared/command-line';
import { cutAndEscape, formatCount } from '../../shared/text';
import type { CommandContext } from '../cli/context';
import { addRecord, joinKeys, madeAtMs, type Match, type Token } from './join-keys';
import { readHistories } from './read-histories';
import type { ApiKey } from './read-keys';
import { readTokenLog } from './read-token-log';

const MAX_REASON_LENGTH = 40;

/** Prints the API keys of link-tokens in an organization's list, each with its token. */
export async function printKeys(
  { client, output }: CommandContext,
  orgId: string,
  keys: readonly ApiKey[],
  record: readonly string[],
): Promise<void> {
  const recorded = await readTokenLog(record, orgId);
  const known = addRecord(await readHistories(client, orgId), recorded);
  const { matches, withoutKey } = joinKeys(keys, known, Date.now());
  const count = formatCount(keys.length, 'key');
  output.say(`organization ${orgId}: ${count}, ${matches.length} of link-tokens`);
  for (const { key, ...match } of matches) {
    const { id: keyId, publicKey, desc: description } = key;
    const madeAt = `${new Date(madeAtMs(key)).toISOString().slice(0, 19)}Z`;
    output.print(
      { orgId, keyId, publicKey, madeAt, description, ...match },
      `${keyId}  ${publicKey}  ${madeAt}  ${describe(match)}`,
    );
  }
  output.print(
    { orgId, keys: keys.length, ofLinkTokens: matches.length, withoutKey },
    withoutKey.map((token) => `its key is not known: ${describeToken(token)}`),
  );
}

function describe({ token, why, attempts: [first, ...others] }: Omit<Match, 'key'>): string {
  if (token) return describeToken(token);
  const what = why === null ? 'orphan: no known token has it' : `perhaps of a token: ${why}`;
  if (!first) return what;
  const { startedAt, endedAt, reason } = first;
  const more = others.length > 0 ? `, and ${others.length} more` : '';
  const time = endedAt === null ? `since ${startedAt}` : `${startedAt} to ${endedAt}`;
  return `${what}; near an attempt, ${time} (${cutAndEscape(reason, MAX_REASON_LENGTH)})${more}`;
}

function describeToken({ state, deliveryId, createdAt, sink, workflowId }: Token): string {
  const texts = {
    delivered: sink === null ? 'delivered' : `delivered to ${sink}`,
    open: `being delivered: ${commandLine('watch', workflowId)}`,
    abandoned: 'abandoned: no run delivers it',
    unknown: 'whose delivery is not in the record',
  };
  const token = deliveryId === null ? 'a token' : `token ${deliveryId}`;
  return `${token} of ${createdAt}, ${texts[state]}`;
}
