import type { Receipt, ValidRequest } from '../contract/schemas';
import type { RunToken } from './activity-results';

/** Summarizes an activity for the Temporal UI. */
export function summarizeCreation(pair: Pair): string {
  return `create ${describeToken(pair)}`;
}

export function summarizeDelivery(pair: Pair, { deliveryId }: RunToken, sink: string): string {
  return `deliver token ${deliveryId} of ${describePair(pair)} to sink ${sink}`;
}

export function describeCreation({ credential, accessListIps, ...pair }: ValidRequest, activityNumber: number): string {
  const means = `with credential ${credential} and an access list of length ${accessListIps.length}`;
  return `creating ${describeToken(pair)} ${means} (activity ${activityNumber})`;
}

const LOGGED_FACTS = [
  ...['orgId', 'sourceOrgId', 'accessListIps', 'credential', 'warnings', 'requestedBy', 'changeReference'],
  ...['deliveryId', 'tokenSha256', 'createdAt', 'unconfirmedTokens'],
  ...['sink', 'location', 'deliveredAt', 'alsoTried'],
] as const satisfies (keyof Receipt)[];
const MAX_LOGGED_ENTRIES = 20;

/** Picks what the log says of a token. The log outlives the run, whose history Temporal deletes. */
export function getFacts(known: Partial<Receipt>): Partial<Receipt> {
  const facts = LOGGED_FACTS.filter((name) => name in known).map((name) => {
    const value: unknown = known[name];
    return [name, Array.isArray(value) ? value.slice(0, MAX_LOGGED_ENTRIES) : value];
  });
  return Object.fromEntries(facts) as Partial<Receipt>;
}

type Pair = Pick<ValidRequest, 'orgId' | 'sourceOrgId'>;

function describeToken(pair: Pair): string {
  return `a link-token in ${describePair(pair)}`;
}

function describePair({ orgId, sourceOrgId }: Pair): string {
  return sourceOrgId ? `${orgId} for source organization ${sourceOrgId}` : orgId;
}
