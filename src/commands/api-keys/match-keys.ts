import type { TokenState } from '../../contract/states';

/**
 * Allows for a difference between the clocks of Temporal and Atlas, or of Temporal and a worker.
 */
const CLOCK_TOLERANCE_MS = 10_000;
/** Longest time from the sending of a request until Atlas has carried it out. */
const MAX_REQUEST_MS = 60_000;
/**
 * Exceeds an attempt with any settings but odd ones. In a longer time without an end of its own, as
 * of a paused run that was terminated, the run also waited.
 */
const MAX_ATTEMPT_MS = 15 * 60_000;

/** The time in which Atlas may have made an API key. */
export interface Span {
  fromMs: number;
  toMs: number;
  /**
   * Set if no token arrived: from `toMs` until then, Atlas may also have made the key, for an
   * attempt that had ended or whose time is not known. It may as well be of somebody else.
   */
  lateToMs?: number;
  /** Set if only the arrival of the token is known. */
  isEstimate?: true;
}

/** The origin of a key: a token that arrived, or an attempt that may have created one. */
export type Origin = TokenOrigin | AttemptOrigin;

export interface TokenOrigin {
  /** `received`: only a worker is known to have had the token, perhaps after the end of its run. */
  type: 'token' | 'received';
  /** `unknown`: only the record has it, and does not say that it was delivered. */
  state: TokenState | 'unknown';
  deliveryId: string;
  /** The time at which the token arrived, by the clock of the worker. */
  createdAt: string;
  /** The sink that has the token; null if none, or if its name is gone with the history. */
  sink: string | null;
  workflowId: string;
  /** The run that delivered the token, or has it; null if only the record has the token. */
  runId: string | null;
  span: Span;
}

export interface AttemptOrigin {
  type: 'attempt';
  /** `inProgress`: its response may still bring the token. */
  state: 'unconfirmed' | 'inProgress';
  startedAt: string;
  endedAt: string;
  reason: string;
  workflowId: string;
  runId: string | null;
  span: Span;
}

type Times = Pick<AttemptOrigin, 'startedAt' | 'endedAt'>;

/**
 * Finds the time in which Atlas may have made the key of an attempt that returned no token, and
 * until when it may have made it late.
 */
export function spanOfAttempt(attempt: Times): Span {
  const { fromMs, toMs } = widen(attempt);
  const isOneAttempt = toMs - fromMs <= MAX_ATTEMPT_MS;
  return { fromMs, toMs: isOneAttempt ? toMs : fromMs, lateToMs: toMs + MAX_REQUEST_MS };
}

/**
 * Finds the time in which Atlas made the key of a token: between the start and the end of its
 * attempt by Temporal's clock. An attempt may wait for minutes until it can report its token, so
 * the time ends earlier, soon after the arrival of the token by the worker's clock, if that is
 * plausible.
 */
export function spanOfCreation(attempt: Times, createdAt: string): Span {
  const { fromMs, toMs } = widen(attempt);
  const arrivedMs = Date.parse(createdAt);
  // One tolerance for the clocks of the worker and of Temporal, one for those of Temporal and of
  // Atlas.
  const isPlausible = arrivedMs >= fromMs && arrivedMs <= toMs;
  return { fromMs, toMs: isPlausible ? Math.min(toMs, arrivedMs + 2 * CLOCK_TOLERANCE_MS) : toMs };
}

/** Widens the time of an attempt by the tolerance for clocks. */
function widen({ startedAt, endedAt }: Times): Span {
  return {
    fromMs: Date.parse(startedAt) - CLOCK_TOLERANCE_MS,
    toMs: Date.parse(endedAt) + CLOCK_TOLERANCE_MS,
  };
}

/**
 * Finds the time in which Atlas made the key of a token of which only the arrival is known, by the
 * clock of the worker: it and that of Atlas may differ from Temporal's in opposite directions.
 */
export function spanOfArrival(createdAt: string): Span {
  const arrivedMs = Date.parse(createdAt);
  const toleranceMs = 2 * CLOCK_TOLERANCE_MS;
  return {
    fromMs: arrivedMs - MAX_REQUEST_MS - toleranceMs,
    toMs: arrivedMs + toleranceMs,
    isEstimate: true,
  };
}

/**
 * Merges what histories and the record say, once for each token and each attempt. The delivery of a
 * token says most, wherever it is known, and its arrival least; otherwise what comes first. Only
 * the run that created a token knows when it was requested.
 */
export function mergeOrigins(histories: readonly Origin[], record: readonly Origin[]): Origin[] {
  const runIds = new Set(histories.map(({ runId }) => runId));
  // Of a run that Temporal has, its history knows the attempts, by other times than the record.
  const missing = record.filter(({ type, runId }) => type !== 'attempt' || !runIds.has(runId));
  const arrivals = missing.filter(({ type }) => type === 'received');
  const others = missing.filter(({ type }) => type !== 'received');
  const merged = new Map<string, Origin>();
  for (const origin of [...histories, ...others, ...arrivals]) {
    const id = idOf(origin);
    const first = merged.get(id) ?? origin;
    const facts = first.state === 'delivered' || origin.state !== 'delivered' ? first : origin;
    merged.set(id, { ...facts, span: first.span.isEstimate ? origin.span : first.span });
  }
  return [...merged.values()];
}

/** A workflow id has one attempt at a time. */
function idOf(origin: Origin): string {
  return origin.type === 'attempt' ? `${origin.workflowId} ${origin.startedAt}` : origin.deliveryId;
}

/**
 * @returns when a key was made: the first eight digits of an ObjectId are the seconds since 1970.
 */
export function madeAtMs(keyId: string): number {
  return parseInt(keyId.slice(0, 8), 16) * 1000;
}

/**
 * Finds the origins that each key may have, and the origins that have no key. Both are in the order
 * of time.
 *
 * If a token can have one key only, that key is not of an unconfirmed attempt. No rule takes a
 * token from a key, since its own key may be missing, and another be made by hand. So a key counts
 * as unconfirmed only if no token can have it.
 *
 * A token that was only received takes no key that something else explains: if its worker stood
 * still for too long, the run has counted the attempt as unconfirmed.
 */
export function matchKeys<
  K extends { id: string },
  O extends Pick<Origin, 'type' | 'state' | 'span'>,
>(keys: readonly K[], origins: readonly O[]) {
  const inOrder = origins.toSorted((a, b) => a.span.fromMs - b.span.fromMs);
  const keysOfTokens = inOrder
    .filter(({ type }) => type === 'token')
    .map(({ span }) => keys.filter(({ id }) => isMadeIn(span, id)));
  const onlyKeys = new Set(keysOfTokens.filter(({ length }) => length === 1).flat());
  const mayHave = ({ state, span }: O, key: K) =>
    isMadeIn({ ...span, toMs: span.lateToMs ?? span.toMs }, key.id) &&
    !(state === 'unconfirmed' && onlyKeys.has(key));
  const matches = keys
    .map((key) => {
      const all = inOrder.filter((origin) => mayHave(origin, key));
      const known = all.filter(({ type }) => type !== 'received');
      return { key, origins: known.length > 0 ? known : all };
    })
    .sort((a, b) => madeAtMs(a.key.id) - madeAtMs(b.key.id));
  const withoutKey = inOrder.filter((origin) => !keys.some((key) => mayHave(origin, key)));
  return { matches, withoutKey };
}

/** A key's id has whole seconds. */
function isMadeIn({ fromMs, toMs }: Span, keyId: string): boolean {
  const madeMs = madeAtMs(keyId);
  return madeMs + 999 >= fromMs && madeMs <= toMs;
}

export type KeyState = Origin['state'] | 'mixed' | 'other';

/**
 * Tells the state that all origins of a key have: `mixed` if they differ, or if the key was made
 * after their `toMs`, so that it may have another origin; `other` if there are none.
 */
export function stateOf(
  keyId: string,
  origins: readonly Pick<Origin, 'state' | 'span'>[],
): KeyState {
  const [state = 'other', ...otherStates] = new Set(origins.map((origin) => origin.state));
  const isLate = state !== 'other' && !origins.some(({ span }) => isMadeIn(span, keyId));
  return isLate || otherStates.length > 0 ? 'mixed' : state;
}
