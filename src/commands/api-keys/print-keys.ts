import { commandLine } from '../../shared/command-line';
import { formatCount, quote, cutAndEscape } from '../../shared/text';
import type { CommandContext } from '../cli/context';
import {
  madeAtMs,
  matchKeys,
  mergeOrigins,
  stateOf,
  type KeyState,
  type Origin,
  type TokenOrigin,
} from './match-keys';
import { readHistories } from './read-histories';
import type { ApiKey } from './read-keys';
import { readTokenLog } from './read-token-log';

const MAX_REASON_LENGTH = 40;

/** Characters of a date at the beginning of a time. */
const DATE_LENGTH = 10;

/**
 * Prints which token or unconfirmed attempt of an organization each of its API keys may come from.
 */
export async function printKeys(
  context: CommandContext,
  orgId: string,
  keys: readonly ApiKey[],
  record: readonly string[],
): Promise<void> {
  const { client, output } = context;
  const recorded = await readTokenLog(record, orgId);
  const origins = mergeOrigins(await readHistories(client, orgId), recorded);
  const { matches, withoutKey } = matchKeys(keys, origins);
  const ours = matches.filter((match) => match.origins.length > 0).length;
  output.say(`organization ${orgId}: ${formatCount(keys.length, 'key')}, ${ours} from this job`);
  let previous = '';
  for (const { key, origins: ofKey } of matches) {
    const madeAt = formatSeconds(madeAtMs(key.id));
    const state = stateOf(key.id, ofKey);
    const description = describeOrigins(ofKey, state, madeAt.slice(0, DATE_LENGTH));
    const isRepeated = description === previous && ofKey.length > 1;
    const text = isRepeated ? `1 of ${ofKey.length}: the same as above` : description;
    previous = description;
    output.print(
      {
        orgId,
        keyId: key.id,
        madeAt,
        description: key.desc,
        state,
        origins: ofKey.map(withoutSpan),
      },
      state === 'other' ? [] : `${key.id}  ${madeAt}  ${quote(key.desc)}  ${text}`,
    );
  }
  const total = {
    orgId,
    keys: keys.length,
    ofThisJob: ours,
    withoutKey: withoutKey.map(withoutSpan),
  };
  output.print(total, describeTotal(keys.length - ours, withoutKey));
}

/** @param date of the key: it is left out of the times of that day. */
function describeOrigins(origins: readonly Origin[], state: KeyState, date: string): string {
  const isUnused = state === 'unconfirmed' ? ': no known token uses it' : '';
  const states = new Set(origins.map((origin) => origin.state));
  const isLate = state === 'mixed' && states.size === 1 ? ': perhaps made by somebody else' : '';
  const oneOf = origins.length > 1 ? `1 of ${origins.length}: ` : '';
  const texts = origins.map((origin) => describeOrigin(origin, date));
  return oneOf + texts.join('; ') + isUnused + isLate;
}

function describeOrigin(origin: Origin, date: string): string {
  const format = (time: string) =>
    date !== '' && time.startsWith(date) ? time.slice(DATE_LENGTH + 1, -1) : time;
  if (origin.type !== 'attempt') {
    return `token ${origin.deliveryId} of ${format(origin.createdAt)}, ${describeState(origin)}`;
  }
  const { state, startedAt, endedAt, reason } = origin;
  if (state === 'inProgress') {
    return `a request in progress since ${format(startedAt)}: look again later`;
  }
  return (
    `unconfirmed, ${format(startedAt)} to ${format(endedAt)}` +
    ` (${cutAndEscape(reason, MAX_REASON_LENGTH)})`
  );
}

function describeState({ state, sink, workflowId }: TokenOrigin): string {
  if (state === 'delivered') return sink === null ? 'delivered' : `delivered to ${sink}`;
  if (state === 'open') return `being delivered: ${commandLine('watch', workflowId)}`;
  if (state === 'unknown') return 'whose delivery is not in the record';
  return 'abandoned: its run ended without a delivery';
}

function describeTotal(otherKeys: number, withoutKey: readonly Origin[]): string[] {
  const tokens = withoutKey.filter(({ type }) => type !== 'attempt');
  const attempts = withoutKey.filter(({ state }) => state === 'unconfirmed').length;
  const lines = [formatCount(otherKeys, 'other key')];
  for (const token of tokens) {
    lines.push(`without a key (deleted, or a clock was wrong): ${describeOrigin(token, '')}`);
  }
  if (attempts > 0) {
    lines.push(
      `without a key (deleted, or none was made): ${formatCount(attempts, 'unconfirmed attempt')}`,
    );
  }
  return lines;
}

function withoutSpan({ span: _, ...origin }: Origin): object {
  return origin;
}

const formatSeconds = (ms: number) => `${new Date(ms).toISOString().slice(0, 19)}Z`;
