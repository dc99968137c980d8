import type { Receipt, ValidRequest } from '../contract/schemas';

export function describePair({ orgId, sourceOrgId }: ValidRequest): string {
  return sourceOrgId ? `${orgId} for source organization ${sourceOrgId}` : orgId;
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
