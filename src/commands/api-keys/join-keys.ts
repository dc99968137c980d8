import { LINK_TOKEN_KEY } from '../../contract/formats';
import type { TokenState } from '../../contract/states';
import type { ApiKey } from './read-keys';

/** Allows for a late response, and for a difference between the clocks of Temporal and Atlas. */
export const NEAR_MS = 60_000;
/** Allows for a run that Temporal does not list yet. */
const HOUR_MS = 3_600_000;

export interface Token {
  state: TokenState;
  /** Null if it cannot be read. */
  deliveryId: string | null;
  publicApiKey: string | null;
  /** By Temporal's clock if its run is there, else by the worker's. */
  createdAt: string;
  /** The sink that has the token; null if none, or if its name is gone with the history. */
  sink: string | null;
  /** The sinks for which a delivery was scheduled: each may have the token. */
  sinksTried: string[];
  workflowId: string;
  runId: string;
}

/** An attempt that may have created a token and returned none. */
export interface Attempt {
  startedAt: string;
  /** Null while the attempt may still bring a token. */
  endedAt: string | null;
  reason: string;
  workflowId: string;
  runId: string;
}

export interface Known {
  /** Since when every token and attempt is known, in milliseconds since 1970. */
  sinceMs: number;
  tokens: readonly Token[];
  attempts: readonly Attempt[];
}

/** A key that may be a link-token's. */
export interface Match {
  key: ApiKey;
  /** That of its token. Without one, `orphan` or `unknown`. */
  state: TokenState | 'orphan' | 'unknown';
  token: Token | null;
  /** Why the state is `unknown`; null in any other. */
  why: string | null;
  /** Those near the time at which a key without a token was made. */
  attempts: Attempt[];
}

/** Tells when a key was made: its id begins with the seconds since 1970. */
export function madeAtMs({ id }: Pick<ApiKey, 'id'>): number {
  return parseInt(id.slice(0, 8), 16) * 1000;
}

function hasDescription({ desc }: Pick<ApiKey, 'desc'>): boolean {
  return LINK_TOKEN_KEY.test(desc);
}

/**
 * Finds the keys of link-tokens, oldest first. A key whose public key a known token has is that
 * token's. A key that no known token has is an `orphan` if an attempt of ours was near and nothing
 * leaves a doubt: what is absent, such as a history that Temporal has deleted, makes it `unknown`.
 */
export function joinKeys(keys: readonly ApiKey[], known: Known, nowMs: number): Match[] {
  const matches = keys.flatMap((key): Match[] => {
    const token = mergeRuns(known.tokens.filter((one) => names(one, key)));
    if (token) return [{ key, state: token.state, token, why: null, attempts: [] }];
    const attempts = findNear(known.attempts, madeAtMs(key));
    if (!hasDescription(key) && !(key.isOwner && attempts.length > 0)) return [];
    const why = findDoubt(key, attempts, known, nowMs);
    return [{ key, state: why === null ? 'orphan' : 'unknown', token: null, why, attempts }];
  });
  return matches.toSorted((a, b) => madeAtMs(a.key) - madeAtMs(b.key));
}

/**
 * Merges what several runs say of a token, as after a reset. A delivery says most; otherwise the
 * newest run does.
 */
function mergeRuns(tokens: readonly Token[]): Token | null {
  const token = tokens.find(({ state }) => state === 'delivered') ?? tokens[0];
  if (!token) return null;
  return { ...token, sinksTried: [...new Set(tokens.flatMap(({ sinksTried }) => sinksTried))] };
}

/** Without regard to case: a list in another one must not make keys in use look like orphans. */
function names({ publicApiKey }: Token, { publicKey }: ApiKey): boolean {
  return publicApiKey?.toLowerCase() === publicKey.toLowerCase();
}

/** Finds why a key that no known token has may be a token's all the same; null if it cannot. */
function findDoubt(
  key: ApiKey,
  attempts: readonly Attempt[],
  { tokens, sinceMs }: Known,
  nowMs: number,
): string | null {
  const madeMs = madeAtMs(key);
  if (attempts.some(({ endedAt }) => endedAt === null)) return 'a request is in progress';
  if (madeMs > nowMs - HOUR_MS) return 'made less than an hour ago';
  // A run that created a token in the retention period ends in it or later: Temporal still has it.
  if (madeMs < sinceMs) return 'older than what Temporal retains';
  if (attempts.length === 0) return 'made when no known attempt was in progress';
  if (!hasDescription(key)) return 'its description is not that of a link-token';
  const token = tokens.find(({ publicApiKey, createdAt }) => {
    return publicApiKey === null && Math.abs(Date.parse(createdAt) - madeMs) <= HOUR_MS;
  });
  if (token) return `made near ${nameToken(token)}, whose key is not known`;
  return null;
}

export function nameToken({ deliveryId, workflowId }: Token): string {
  return deliveryId === null ? `a token of ${workflowId}` : `token ${deliveryId}`;
}

/** Finds the attempts during which a key may have been made, the nearest first. */
function findNear(attempts: readonly Attempt[], madeMs: number): Attempt[] {
  const distanceMs = ({ startedAt }: Attempt) => Math.abs(Date.parse(startedAt) - madeMs);
  const near = attempts.filter((attempt) => isNear(attempt, madeMs));
  return near.toSorted((a, b) => distanceMs(a) - distanceMs(b));
}

function isNear({ startedAt, endedAt }: Attempt, madeMs: number): boolean {
  const endMs = endedAt === null ? Infinity : Date.parse(endedAt);
  return madeMs >= Date.parse(startedAt) - NEAR_MS && madeMs <= endMs + NEAR_MS;
}
