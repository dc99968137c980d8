import type { TokenState } from '../../contract/states';
import type { ApiKey } from './read-keys';

/**
 * How Atlas describes the API key of a link-token, before seven hexadecimal digits. MongoDB
 * documents no description; four such keys are in recorded lists.
 */
const DESCRIPTION = 'Atlas Migration Service Key';
/** Allows for a late response, and for a difference between the clocks of Temporal and Atlas. */
const NEAR_MS = 60_000;
/**
 * Allows for a run that Temporal does not list yet, a line that the record does not have yet, and
 * a worker whose clock, the source of a token's `createdAt`, is wrong by minutes.
 */
const HOUR_MS = 3_600_000;

export interface Token {
  /** `unknown`: only the record has it, and does not say that it was delivered. */
  state: TokenState | 'unknown';
  /** Null if it cannot be read. */
  deliveryId: string | null;
  publicApiKey: string | null;
  createdAt: string;
  /** The sink that has the token; null if none, or if its name is gone with the history. */
  sink: string | null;
  workflowId: string;
  runId: string | null;
}

/** An attempt that may have created a token and returned none. */
export interface Attempt {
  startedAt: string;
  /** Null while the attempt may still bring a token. */
  endedAt: string | null;
  reason: string;
  workflowId: string;
  runId: string | null;
}

export interface Known {
  /** Since when it has every token that workers created, in milliseconds since 1970. */
  sinceMs: number;
  tokens: readonly Token[];
  attempts: readonly Attempt[];
}

/** What Temporal has, with the runs whose histories are read. */
export type KnownByTemporal = Known & { runIds: ReadonlySet<string | null> };

/**
 * Adds what only the record has. The delivery of a token says most, wherever it is known; otherwise
 * a history does.
 */
export function addRecord(
  { sinceMs, tokens, attempts, runIds }: KnownByTemporal,
  record: Known,
): Known {
  const creating = new Set(
    attempts.filter(({ endedAt }) => endedAt === null).map(({ runId }) => runId),
  );
  const byKey = new Map<string, Token>();
  for (const token of [...tokens, ...record.tokens]) {
    const { state, runId } = token;
    const id = token.publicApiKey ?? token.deliveryId ?? String(runId);
    const known = byKey.get(id);
    if (known && (known.state === 'delivered' || state !== 'delivered')) continue;
    // A token that arrived too late, for a run that does without it.
    const isLost = state === 'unknown' && runIds.has(runId) && !creating.has(runId);
    byKey.set(id, isLost ? { ...token, state: 'abandoned' } : token);
  }
  const missing = record.attempts.filter(({ runId }) => !runIds.has(runId));
  const byTime = new Map(missing.map((one) => [`${one.workflowId} ${one.startedAt}`, one]));
  return {
    sinceMs: Math.min(sinceMs, record.sinceMs),
    tokens: [...byKey.values()],
    attempts: [...attempts, ...byTime.values()],
  };
}

/** Tells when a key was made: its id begins with the seconds since 1970. */
export function madeAtMs({ id }: Pick<ApiKey, 'id'>): number {
  return parseInt(id.slice(0, 8), 16) * 1000;
}

/** A key of a link-token. */
export interface Match {
  key: ApiKey;
  /** That of its token. Without one, `orphan`; but `unknown` if it may be of a token anyway. */
  state: Token['state'] | 'orphan';
  token: Token | null;
  /** Why a key without a token is `unknown`; null for any other. */
  why: string | null;
  /** Those near the time at which a key without a token was made. */
  attempts: Attempt[];
}

/**
 * Finds the keys of link-tokens, in the order of time, and the tokens whose key is not known. Each
 * key whose public key a token has is that token's. One that only has Atlas's description may be of
 * an unconfirmed attempt, or made by somebody else.
 */
export function joinKeys(
  keys: readonly ApiKey[],
  { sinceMs, tokens, attempts }: Known,
  nowMs: number,
) {
  const byKey = new Map(tokens.map((token) => [token.publicApiKey, token]));
  const withoutKey = tokens.filter(({ publicApiKey }) => publicApiKey === null);
  const matches = keys.flatMap((key): Match[] => {
    const token = byKey.get(key.publicKey);
    if (token) return [{ key, state: token.state, token, why: null, attempts: [] }];
    if (!key.desc.startsWith(DESCRIPTION)) return [];
    const near = attempts.filter((attempt) => isNear(attempt, madeAtMs(key)));
    const times = { madeMs: madeAtMs(key), sinceMs, nowMs };
    const why = findDoubt(times, near, withoutKey);
    return [{ key, state: why === null ? 'orphan' : 'unknown', token: null, why, attempts: near }];
  });
  return { matches: matches.toSorted((a, b) => madeAtMs(a.key) - madeAtMs(b.key)), withoutKey };
}

/** Finds why a key that no known token has may be of a token all the same; null if it cannot. */
function findDoubt(
  { madeMs, sinceMs, nowMs }: { madeMs: number; sinceMs: number; nowMs: number },
  near: readonly Attempt[],
  withoutKey: readonly Token[],
): string | null {
  if (near.some(({ endedAt }) => endedAt === null)) return 'a request is in progress';
  const isOf = ({ createdAt }: Token) => Math.abs(Date.parse(createdAt) - madeMs) <= HOUR_MS;
  if (withoutKey.some(isOf)) return 'made near a token whose key is not known';
  if (madeMs > nowMs - HOUR_MS) return 'made less than an hour ago';
  // A run that created a token in the retention period ends in it or later: Temporal still has it.
  if (madeMs < sinceMs) return 'older than the retention period and than any --record';
  return null;
}

function isNear({ startedAt, endedAt }: Attempt, madeMs: number): boolean {
  const endMs = endedAt === null ? Infinity : Date.parse(endedAt);
  return madeMs >= Date.parse(startedAt) - NEAR_MS && madeMs <= endMs + NEAR_MS;
}
