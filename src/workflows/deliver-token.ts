import { CancellationScope, condition } from '@temporalio/workflow';
import type { Receipt, Recovery } from '../contract/schemas';
import type { ValidatedRequest } from '../shared/activities';
import { proxyDeliverLinkToken } from './activity-proxies';
import { parseReceipt, settle, type RunToken } from './activity-results';
import { cancellationFailure, isCancelled } from './cancellation';
import { decideDelivery, type DeliverySituation, type RoundPace } from './decisions';
import type { DeliveryChannel } from './delivery-channel';
import { createFailure } from './run-failures';
import type { RunStatus } from './run-status';

/**
 * Delivers a token, however long that takes: a round of attempts, a pause, the next round; a redelivery is
 * one attempt at once.
 *
 * @throws ApplicationFailure of type `Cancelled` when the run is cancelled before the token is confirmed as
 *   delivered.
 */
export async function deliverToken(
  status: RunStatus,
  channel: DeliveryChannel,
  { request, deliver: policy }: ValidatedRequest,
  sealedToken: RunToken,
  recovery: Recovery | undefined,
): Promise<Receipt> {
  const sinksTried = new Set(recovery?.sinksTried);
  const cancelled = () => cancellationFailure(status.current, sealedToken, [...sinksTried]);
  let pace: RoundPace = { pauseMs: policy.firstPauseMs, nextRoundAtMs: Date.now() };
  let ownFailure = '';

  for (;;) {
    const { redelivery } = channel;
    const sink = redelivery?.sink ?? request.sink;
    const isElsewhere = sink !== request.sink;
    // Cancelled while the token was being created, or in between: the token gets one attempt.
    const isFinal = isCancelled();
    const kind: DeliverySituation['kind'] = isFinal ? 'final' : redelivery ? 'redelivery' : 'round';
    const summary = status.showDelivering(request, sink);
    const deliverLinkToken = proxyDeliverLinkToken(policy, kind !== 'round', request.orgId, summary);
    const attempt = () => deliverLinkToken({ jwe: sealedToken.jwe }, sink);
    const outcome = await settle(
      isFinal ? CancellationScope.nonCancellable(attempt) : channel.runAttempt(attempt),
      (result) => parseReceipt(result, request, sink, recovery ? null : sealedToken.deliveryId),
      completedByOtherClient(sink),
    );
    if ('result' in outcome) {
      sinksTried.delete(sink);
      return { ...outcome.result, alsoTried: [...sinksTried] };
    }

    const { failure } = outcome;
    if (failure.sinkTried) sinksTried.add(sink);
    const isSuperseded = channel.redelivery !== redelivery;
    const situation = { kind, isCancelled: isCancelled(), isSuperseded, isElsewhere, nowMs: Date.now() };
    const decision = decideDelivery(failure, situation, pace, policy, Math.random());
    if (decision.next === 'cancelled') throw cancelled();
    if (decision.next === 'redeliver') continue;

    pace = decision;
    if (!isElsewhere) ownFailure = failure.message;
    const message = isElsewhere ? describeBoth(sink, failure.message, request.sink, ownFailure) : ownFailure;
    const { unconfirmedTokens } = status.current;
    const reported = createFailure(decision.type, message, { unconfirmedTokens });
    status.reportUndelivered(reported, sink, pace.nextRoundAtMs);
    channel.publishRound(reported);
    // A timeout of 0 would be none.
    const waitMs = Math.max(1, pace.nextRoundAtMs - Date.now());
    await condition(() => channel.redelivery !== null, waitMs).catch(() => {
      throw cancelled();
    });
  }
}

function completedByOtherClient(sink: string) {
  return {
    type: 'SinkUnavailable',
    message:
      'the delivery was completed without a receipt of this request, by somebody other than a worker: ' +
      `the token may be in sink ${sink}`,
  };
}

/** Names the failure of the run's own sink too, for which the run keeps waiting. */
function describeBoth(sink: string, message: string, ownSink: string, ownMessage: string): string {
  const redelivered = `redelivery to sink ${sink}: ${message}`;
  return ownMessage ? `${redelivered}; sink ${ownSink}: ${ownMessage}` : redelivered;
}
