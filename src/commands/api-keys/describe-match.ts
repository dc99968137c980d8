import { commandLine } from '../../shared/command-line';
import { cutAndEscape } from '../../shared/text';
import { nameToken, type Match } from './join-keys';

const MAX_REASON_LENGTH = 40;

/** Describes a key's match in a line: its state, token and sink, and why it is in doubt. */
export function describeMatch(match: Match): string {
  const { state, token, why } = match;
  const facts = [
    token && `${nameToken(token)} of ${token.createdAt}`,
    token && describeDelivery(token),
    why,
    describeAttempts(match),
  ];
  return `${state}: ${facts.filter(Boolean).join(', ')}`;
}

function describeDelivery({ state, sink, sinksTried, workflowId }: NonNullable<Match['token']>) {
  if (state === 'delivered') return sink && `in sink ${sink}`;
  if (state === 'open') return commandLine('watch', workflowId);
  return sinksTried.length > 0 ? `look in sink ${sinksTried.join(', ')}` : 'no sink was tried';
}

function describeAttempts({ attempts: [first, ...others] }: Pick<Match, 'attempts'>) {
  if (!first) return null;
  const { startedAt, endedAt, reason } = first;
  const more = others.length > 0 ? ` and ${others.length} more` : '';
  const time = endedAt === null ? `since ${startedAt}` : `${startedAt} to ${endedAt}`;
  return `near an attempt, ${time} (${cutAndEscape(reason, MAX_REASON_LENGTH)})${more}`;
}
