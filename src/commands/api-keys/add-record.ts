import { NEAR_MS, type Attempt, type Known, type Token } from './join-keys';

/**
 * Adds what only the record has: tokens and attempts of runs that Temporal has deleted, or lost
 * when its database was restored.
 */
export function addRecord(histories: Known, record: Known): Known {
  const { attempts } = histories;
  const recorded = record.tokens.map((token) => judgeLoss(token, attempts));
  const retainedSinceMs = lacksRuns(histories, record) ? Infinity : histories.sinceMs;
  return {
    // What a person says counts more: runs may have been deleted before their time.
    sinceMs: record.sinceMs === Infinity ? retainedSinceMs : record.sinceMs,
    tokens: mergeTokens([...histories.tokens, ...recorded]),
    attempts: [...attempts, ...findMissing(record.attempts, attempts)],
  };
}

/**
 * Tells whether the record has a run that Temporal should still retain and does not have. Then
 * others may be missing too: the record is that of another namespace, or runs were deleted or lost.
 */
function lacksRuns(histories: Known, record: Known): boolean {
  const runIds = new Set([...histories.tokens, ...histories.attempts].map(({ runId }) => runId));
  const isMissing = (runId: string | null, at: string) =>
    !runIds.has(runId) && Date.parse(at) >= histories.sinceMs;
  return (
    record.tokens.some(({ runId, createdAt }) => isMissing(runId, createdAt)) ||
    record.attempts.some(({ runId, startedAt }) => isMissing(runId, startedAt))
  );
}

/**
 * Calls a token abandoned that arrived too late for its run: an attempt of the run that ended
 * without a token covers the time at which it was created. Temporal's history alone does not tell:
 * after a restore it may lack a delivery.
 */
function judgeLoss(token: Token, attempts: readonly Attempt[]): Token {
  const createdMs = Date.parse(token.createdAt);
  const isLost = attempts.some(({ runId, startedAt, endedAt }) => {
    if (runId !== token.runId || endedAt === null) return false;
    const isAfterStart = createdMs >= Date.parse(startedAt) - NEAR_MS;
    return isAfterStart && createdMs <= Date.parse(endedAt) + NEAR_MS;
  });
  return token.state === 'unknown' && isLost ? { ...token, state: 'abandoned' } : token;
}

/**
 * Merges what several runs and lines say of a token. A delivery says most, wherever it is known;
 * otherwise the first does.
 */
function mergeTokens(tokens: readonly Token[]): Token[] {
  const byId = new Map<string, Token[]>();
  for (const token of tokens) {
    const id = String(token.deliveryId ?? token.runId);
    byId.set(id, [...(byId.get(id) ?? []), token]);
  }
  return [...byId.values()].flatMap((same) => {
    const token = same.find(({ state }) => state === 'delivered') ?? same.slice(0, 1)[0];
    if (!token) return [];
    const known = same.flatMap((one) => one.sinksTried ?? []);
    const sinksTried = same.some((one) => one.sinksTried) ? [...new Set(known)] : null;
    const publicApiKeys = new Set(same.map(({ publicApiKey }) => publicApiKey));
    if (publicApiKeys.size > 1) publicApiKeys.delete(null);
    // If a forged run names another key, the token may have either.
    return [...publicApiKeys].map((publicApiKey) => ({ ...token, publicApiKey, sinksTried }));
  });
}

/** Finds the attempts of the record, each once, that no history has. */
function findMissing(recorded: readonly Attempt[], known: readonly Attempt[]): Attempt[] {
  const missing = recorded.filter((attempt) => {
    return !known.some((one) => one.runId === attempt.runId && overlap(one, attempt));
  });
  const byStart = new Map(missing.map((one) => [`${one.runId} ${one.startedAt}`, one]));
  return [...byStart.values()];
}

function overlap(one: Attempt, other: Attempt): boolean {
  const endMs = ({ endedAt }: Attempt) => (endedAt === null ? Infinity : Date.parse(endedAt));
  return Date.parse(one.startedAt) <= endMs(other) && Date.parse(other.startedAt) <= endMs(one);
}
