import {
  ActivityCancellationType,
  condition,
  proxyActivities,
  type RetryPolicy,
} from '@temporalio/workflow';
import { forEachClaim } from '../contract/claims';
import { isDeliveryFailureType } from '../contract/failure-types';
import { MAX_SINKS_TRIED } from '../contract/limits';
import type { Receipt, SealedToken } from '../contract/schemas';
import type { Activities, RunPlan } from '../shared/activities';
import { retryPolicy, shortenPauseMs } from '../shared/retry-delay';
import { describePair } from '../shared/text';
import { isCancelled } from './endings';
import { revokeUndelivered } from './revoke-token';
import type { RunStatus } from './run-status';
import { settle } from './settle';
import type { Updates } from './updates';

/**
 * The longest pause between rounds. Temporal terminates a run of 51,200 events or 50 MB. A round
 * writes some eleven events, and up to 55 KB with 1,000 addresses, so that a run has half a year.
 */
const MAXIMUM_PAUSE_MS = 6 * 3_600_000;

/**
 * The first failure that an attempt reports is final, since a round of length 0 leaves no time for
 * a retry. An attempt that was lost is repeated once: if the sink has the token already, it
 * recognizes the delivery id.
 */
const ONE_REPORTED_ATTEMPT: RetryPolicy = { maximumAttempts: 2 };

/**
 * Delivers a token, however long that takes: a round of attempts, a pause, the next round; a
 * redelivery is one attempt at once. It never continues as new: see docs/decisions.md. The key that
 * sealed the token must outlive the run.
 *
 * @throws the ending of a run that is cancelled before the token is delivered, once its API key is
 *   deleted: CancelledFailure, or ApplicationFailure of type `Cancelled` with what is left.
 */
export async function deliverToken(
  { request, retries }: RunPlan,
  sealedToken: SealedToken,
  { status, updates }: { status: RunStatus; updates: Updates },
): Promise<Receipt> {
  /** Every sink that was addressed, whether or not an attempt reached it: it may have the token. */
  const sinksTried = new Set<string>();
  let pauseMs = retries.maximumIntervalMs;
  let nextRoundAtMs = Date.now();
  let requestSinkFailure: string | null = null;

  // Also of a run that was cancelled while its token was created.
  while (!isCancelled()) {
    const { redelivery } = updates;
    const sink = redelivery?.sink ?? request.sink;
    sinksTried.add(sink);
    const deliver = () => deliverTo(sink, redelivery !== null);
    const outcome = await settle(updates.runStoppable(deliver), 'location');
    if ('result' in outcome) {
      sinksTried.delete(sink);
      const { result } = outcome;
      const claims = forEachClaim((claim) => result[claim] ?? null);
      const alsoTried = [...sinksTried].slice(0, MAX_SINKS_TRIED);
      // The sink of this delivery: whoever completes the activity by hand could name any, and a
      // metric has a series for each.
      const { publicApiKey = null } = result;
      return { ...result, ...claims, publicApiKey, sink, alsoTried };
    }

    const { failure } = outcome;
    if (isCancelled()) break;
    // Another sink's wait concerns no round.
    const requestedMs = sink === request.sink ? (failure.retryAfterMs ?? 0) : 0;
    nextRoundAtMs = Math.max(nextRoundAtMs, Date.now() + requestedMs);
    // A redelivery stopped this delivery, whose failure says no more.
    if (updates.redelivery !== redelivery) continue;

    if (!redelivery) {
      const pausedUntilMs = Date.now() + shortenPauseMs(pauseMs, Math.random());
      nextRoundAtMs = Math.max(nextRoundAtMs, pausedUntilMs);
      pauseMs = Math.min(pauseMs * 2, MAXIMUM_PAUSE_MS);
    }
    if (sink === request.sink) requestSinkFailure = failure.message;
    const type = isDeliveryFailureType(failure.type) ? failure.type : 'SinkUnavailable';
    const message = describeFailure(sink, failure.message);
    status.reportUndelivered({ type, message }, sink, nextRoundAtMs);
    updates.redelivery = null;

    // Until the next round, a redelivery, or a cancel; 0 would mean no timeout.
    const waitMs = Math.max(1, nextRoundAtMs - Date.now());
    const options = { summary: 'pause before the next round' };
    await condition(() => updates.redelivery !== null, waitMs, options).catch(() => undefined);
  }
  throw await revokeUndelivered(sealedToken, [...sinksTried], status);

  /** @param once one attempt: someone requested it now. */
  function deliverTo(sink: string, once: boolean) {
    const { deliveryId, jwe } = sealedToken;
    status.showDelivering(sink);
    const { attemptTimeoutMs, heartbeatTimeoutMs } = retries.deliver;
    const { deliverLinkToken } = proxyActivities<Activities>({
      startToCloseTimeout: attemptTimeoutMs,
      heartbeatTimeout: heartbeatTimeoutMs,
      // An attempt may begin until the end of the round.
      scheduleToCloseTimeout: (once ? 0 : retries.roundMs) + attemptTimeoutMs,
      retry: once ? ONE_REPORTED_ATTEMPT : retryPolicy(retries),
      // The result of a cancelled attempt says what was delivered.
      cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
      // As for a creation.
      priority: { fairnessKey: request.orgId },
      summary: `deliver token ${deliveryId} of ${describePair(request)} to sink ${sink}`,
    });
    return deliverLinkToken({ jwe }, sink);
  }

  /** Names the failure of the request's sink too, for which the run keeps waiting. */
  function describeFailure(sink: string, message: string): string {
    if (sink === request.sink) return message;
    const redelivered = `redelivery to sink ${sink}: ${message}`;
    if (requestSinkFailure === null) return redelivered;
    return `${redelivered}; sink ${request.sink}: ${requestSinkFailure}`;
  }
}
