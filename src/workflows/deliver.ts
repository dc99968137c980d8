import { ApplicationFailure, CancellationScope, condition, isCancellation, log } from '@temporalio/workflow';
import type { DeliverPlan, DeliveryFailureDetails } from '../contract/activities';
import type { Receipt, SealedToken } from '../contract/schemas';
import { cancelled } from './cancelled';
import { causeOf, failureOf, isDeliveryFailureType, messageAndDetails, requestedWaitMs } from './failures';
import { countFailedRound } from './metrics';
import type { Progress } from './progress';
import { delivery } from './proxies';
import type { Rounds } from './rounds';
import type { RedeliveryControl } from './redelivery-control';

interface Delivery {
  progress: Progress;
  rounds: Rounds;
  control: RedeliveryControl;
  plan: DeliverPlan;
  token: SealedToken;
  /** Of the request: where each round goes, unless a redelivery names another. */
  sink: string;
  /** Sinks that earlier runs sent this token to. */
  sinksTried: readonly string[];
}

/**
 * Delivers a token, however long that takes: a round of attempts, a pause, the next round; a redelivery is one attempt
 * at once.
 *
 * @returns the receipt; its `alsoTried` names every other sink that may have the token.
 * @throws ApplicationFailure of type `Cancelled` when the run is cancelled before the token is confirmed as delivered.
 */
export async function deliver(delivering: Delivery): Promise<Receipt> {
  const { progress, rounds, control, plan, token } = delivering;
  const { jwe, orgId, sourceOrgId, requestedBy, deliveryId } = token;
  const sinksTried = new Set(delivering.sinksTried);
  let pauseMs = plan.firstPauseMs;
  let nextRoundAtMs = Date.now();
  /** How the last round failed at the request's own sink. */
  let ownFailure: string | null = null;

  for (;;) {
    const { redelivery } = control;
    const sink = redelivery?.sink ?? delivering.sink;
    // Cancelled while the token was being created, or in between: the token gets one attempt.
    const isFinalAttempt = CancellationScope.current().consideredCancelled;
    const attempt = () =>
      delivery(
        plan,
        redelivery !== null || isFinalAttempt,
        orgId,
        `deliver token ${deliveryId} of ${orgId}${sourceOrgId ? ` for source organization ${sourceOrgId}` : ''} to sink ${sink}`,
      ).deliverLinkToken({ jwe, orgId, sourceOrgId, requestedBy }, sink);
    progress.report('delivering', `delivering token ${deliveryId} to sink ${sink}`);
    let cause: unknown;
    try {
      const receipt = await (isFinalAttempt
        ? CancellationScope.nonCancellable(attempt)
        : control.run(attempt));
      requireReceipt(receipt, sink);
      sinksTried.delete(sink);
      return { ...receipt, alsoTried: [...sinksTried] };
    } catch (error) {
      cause = causeOf(error);
    }

    const details = messageAndDetails(cause).details as Partial<DeliveryFailureDetails>;
    // An attempt that timed out or was cancelled does not tell.
    if (!(cause instanceof ApplicationFailure) || details.tokenMayBeThere !== false) sinksTried.add(sink);
    if (isFinalAttempt || CancellationScope.current().consideredCancelled) {
      throw cancelled(progress, token, [...sinksTried]);
    }
    // A redelivery stopped this attempt: its failure says nothing, and the redelivery is next.
    if (control.redelivery !== redelivery) continue;

    const isElsewhere = sink !== delivering.sink;
    const { message } = messageAndDetails(cause);
    if (!isElsewhere) ownFailure = message;
    // The run goes on waiting for its own sink, and whoever looks at it has to know why.
    const both = [
      `redelivery to sink ${sink}: ${message}`,
      ownFailure && `sink ${delivering.sink}: ${ownFailure}`,
    ];
    const failure = deliveryFailureOf(
      cause,
      isElsewhere ? both.filter(Boolean).join('; ') : message,
      progress,
    );
    control.redelivery = null;
    const requestedMs = isElsewhere ? 0 : (requestedWaitMs(details) ?? 0);
    if (redelivery) {
      // It delays the next round only as long as the request's own sink requested. A round that it stopped begins again.
      nextRoundAtMs = Math.max(nextRoundAtMs, Date.now() + requestedMs);
    } else {
      nextRoundAtMs = Date.now() + Math.max(withJitter(pauseMs), requestedMs);
      pauseMs = Math.min(pauseMs * 2, plan.maximumPauseMs);
    }
    countFailedRound(String(failure.type), token);
    log.warn('link-token not delivered', {
      orgId,
      deliveryId,
      sink,
      type: failure.type,
      reason: failure.message,
    });
    progress.report('undelivered', `${String(failure.type)}: ${failure.message}`, nextRoundAtMs);
    progress.listUndelivered(delivering.sink, token);
    rounds.fail(failure);
    try {
      // A timeout of 0 would be none.
      await condition(() => control.redelivery !== null, Math.max(1, nextRoundAtMs - Date.now()));
    } catch (error) {
      if (!isCancellation(error)) throw error;
      throw cancelled(progress, token, [...sinksTried]);
    }
  }
}

/** Whoever may complete activities in the namespace can complete this one with anything. */
function requireReceipt(receipt: Partial<Receipt> | null | undefined, sink: string): void {
  const { deliveryId, location } = receipt ?? {};
  // Not compared with the token's own: of a recovery, the caller names that.
  if (typeof deliveryId === 'string' && typeof location === 'string' && receipt?.sink === sink) return;
  throw ApplicationFailure.nonRetryable(
    `somebody other than a worker completed the delivery, without a receipt: the token may be in sink ${sink}`,
    'SinkUnavailable',
  );
}

function deliveryFailureOf(cause: unknown, message: string, progress: Progress): ApplicationFailure {
  const type =
    cause instanceof ApplicationFailure && isDeliveryFailureType(cause.type) ? cause.type : 'SinkUnavailable';
  const { unconfirmedTokens } = progress.status;
  return failureOf(type, message, { unconfirmedTokens });
}

/** Up to a fifth less, so that runs that failed together do not all try again together. */
function withJitter(pauseMs: number): number {
  return Math.round(pauseMs * (1 - Math.random() / 5));
}
