import {
  isDeliveryFailureType,
  isRunFailureType,
  type DeliveryFailureType,
  type FailureType,
} from '../contract/failure-types';
import type { Backoff, Retries } from '../shared/activities';
import { retryDelayMs, shortenPauseMs } from '../shared/retry-delay';
import type { ParsedFailure } from './activity-results';

export interface CreationSituation {
  /** Counts the activities of the run that create, from 1. */
  activityNumber: number;
  isCancelled: boolean;
  nowMs: number;
  deadlineAtMs: number;
}

export type CreationDecision =
  | { next: 'fail'; type: FailureType }
  | { next: 'giveUp' }
  | { next: 'cancelled' }
  | { next: 'wait'; waitMs: number };

/**
 * Decides what follows from a failed activity that creates a token. Temporal retries an attempt
 * that created nothing: its failure comes back only if it is not retryable, if the next delay would
 * pass the deadline, or in a cancelled run.
 */
export function decideCreation(
  failure: ParsedFailure,
  { activityNumber, isCancelled, nowMs, deadlineAtMs }: CreationSituation,
  backoff: Backoff,
): CreationDecision {
  if (!failure.runMayRetry) {
    const type = isRunFailureType(failure.type) ? failure.type : 'AtlasUnavailable';
    return { next: 'fail', type };
  }
  if (isCancelled || failure.how === 'cancelled') return { next: 'cancelled' };
  // Schedule-to-close leaves no time for another attempt.
  if (!failure.tokenMayExist || failure.how === 'scheduleToClose') return { next: 'giveUp' };
  // The wait counts activities only. If attempts within an activity opened the circuit breaker of a
  // worker, that may hold the next request back for longer.
  const waitMs = retryDelayMs(backoff, activityNumber, failure.retryAfterMs);
  if (nowMs + waitMs >= deadlineAtMs) return { next: 'giveUp' };
  return { next: 'wait', waitMs };
}

/**
 * Names a way to deliver; `final` is the only attempt of a run that was cancelled while its token
 * was created.
 */
export type DeliveryKind = 'round' | 'redelivery' | 'final';

/**
 * Decides how a token is delivered next: null ends a cancelled run. A redelivery, or the time of
 * the next round, may come in one workflow task with the cancel, in either order: the cancel wins.
 */
export function decideDeliveryKind({
  isFirst,
  isCancelled,
  isRequested,
}: {
  isFirst: boolean;
  isCancelled: boolean;
  /** True if the run has accepted a `redeliver`. */
  isRequested: boolean;
}): DeliveryKind | null {
  if (isCancelled) return isFirst ? 'final' : null;
  return isRequested ? 'redelivery' : 'round';
}

export interface DeliverySituation {
  kind: DeliveryKind;
  isCancelled: boolean;
  /** True if a redelivery stopped this delivery. */
  isSuperseded: boolean;
  /** True if it went to another sink than the request's. */
  isToOtherSink: boolean;
  nowMs: number;
  /** From 0 to 1; see `shortenPauseMs`. */
  random: number;
}

export interface RoundPace {
  /** The pause after the next round that fails. */
  pauseMs: number;
  nextRoundAtMs: number;
}

export type DeliveryDecision =
  | { next: 'cancelled' }
  | { next: 'redeliver' }
  | ({ next: 'wait'; type: DeliveryFailureType } & RoundPace);

/** Decides what follows from a failed round or redelivery. */
export function decideDelivery(
  failure: ParsedFailure,
  { kind, isCancelled, isSuperseded, isToOtherSink, nowMs, random }: DeliverySituation,
  { pauseMs, nextRoundAtMs }: RoundPace,
  { maximumPauseMs }: Pick<Retries, 'maximumPauseMs'>,
): DeliveryDecision {
  if (isCancelled || kind === 'final') return { next: 'cancelled' };
  // The failure of a delivery that was stopped says nothing.
  if (isSuperseded) return { next: 'redeliver' };
  const type = isDeliveryFailureType(failure.type) ? failure.type : 'SinkUnavailable';
  const requestedMs = isToOtherSink ? 0 : (failure.retryAfterMs ?? 0);
  // A failed redelivery postpones the next round only for as long as the request's sink requested.
  if (kind === 'redelivery') {
    return {
      next: 'wait',
      type,
      pauseMs,
      nextRoundAtMs: Math.max(nextRoundAtMs, nowMs + requestedMs),
    };
  }
  return {
    next: 'wait',
    type,
    pauseMs: Math.min(pauseMs * 2, maximumPauseMs),
    nextRoundAtMs: nowMs + Math.max(shortenPauseMs(pauseMs, random), requestedMs),
  };
}
