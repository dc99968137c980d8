import { CancellationScope, condition } from '@temporalio/workflow';
import type { DeliveryFailureType } from '../contract/failure-types';
import { MAX_SINKS_TRIED } from '../contract/limits';
import type { Receipt, Recovery, SealedToken } from '../contract/schemas';
import type { RunPlan } from '../shared/activities';
import { describePair } from '../shared/text';
import { proxyDeliverLinkToken } from './activity-proxies';
import { settle, type ParsedFailure } from './activity-results';
import { cancellationFailure, isCancelled } from './cancellation';
import { decideDeliveryKind, decideDelivery, type DeliveryKind, type RoundPace } from './decisions';
import type { DeliveryChannel } from './delivery-channel';
import { createFailure } from './run-failures';
import type { RunStatus } from './run-status';

/**
 * Delivers a token, however long that takes: a round of attempts, a pause, the next round; a
 * redelivery is one attempt at once. It never continues as new: see decision 4 and
 * docs/capacity.md. The key that sealed the token must outlive the run.
 *
 * @throws ApplicationFailure of type `Cancelled` when the run is cancelled before the token is
 *   delivered.
 */
export async function deliverToken(
  { status, channel }: { status: RunStatus; channel: DeliveryChannel },
  { request, retries }: RunPlan,
  sealedToken: SealedToken,
  recovery: Recovery | undefined,
): Promise<Receipt> {
  const sinksTried = new Set(recovery?.sinksTried);
  let pace: RoundPace = { pauseMs: retries.maximumIntervalMs, nextRoundAtMs: Date.now() };
  let requestSinkFailure: string | null = null;

  const deliverTo = (kind: DeliveryKind, sink: string) => {
    status.showDelivering(sealedToken, sink);
    const { deliveryId } = sealedToken;
    const summary = `deliver token ${deliveryId} of ${describePair(request)} to sink ${sink}`;
    const deliverLinkToken = proxyDeliverLinkToken(
      retries,
      kind !== 'round',
      request.orgId,
      summary,
    );
    const call = () => deliverLinkToken({ jwe: sealedToken.jwe }, sink);
    const delivery =
      kind === 'final' ? CancellationScope.nonCancellable(call) : channel.runStoppable(call);
    return settle(delivery, 'location', completedByHand(sink));
  };
  const report = (
    type: DeliveryFailureType,
    { message }: ParsedFailure,
    sink: string,
    nextRoundAtMs: number,
  ) => {
    if (sink === request.sink) requestSinkFailure = message;
    const description =
      sink === request.sink
        ? message
        : describeBoth(sink, message, request.sink, requestSinkFailure);
    const { unconfirmedTokens } = status.current;
    const failure = createFailure(type, description, { unconfirmedTokens });
    status.reportUndelivered(failure, sink, nextRoundAtMs);
    channel.publishFailure(failure);
  };

  for (let isFirst = true; ; isFirst = false) {
    const { redelivery } = channel;
    const sink = redelivery?.sink ?? request.sink;
    const kind = decideDeliveryKind({
      isFirst,
      isCancelled: isCancelled(),
      isRequested: redelivery !== null,
    });
    if (!kind) throw cancellationFailure(status.current, sealedToken, [...sinksTried]);
    const outcome = await deliverTo(kind, sink);
    if ('result' in outcome) {
      sinksTried.delete(sink);
      return { ...outcome.result, alsoTried: [...sinksTried].slice(0, MAX_SINKS_TRIED) };
    }

    const { failure } = outcome;
    if (failure.sinkTried) sinksTried.add(sink);
    const situation = {
      kind,
      isCancelled: isCancelled(),
      // A redelivery was accepted meanwhile.
      isSuperseded: channel.redelivery !== redelivery,
      isToOtherSink: sink !== request.sink,
      nowMs: Date.now(),
      random: Math.random(),
    };
    const decision = decideDelivery(failure, situation, pace, retries);
    if (decision.next === 'cancelled') {
      throw cancellationFailure(status.current, sealedToken, [...sinksTried]);
    }
    if (decision.next === 'redeliver') continue;
    pace = decision;
    report(decision.type, failure, sink, pace.nextRoundAtMs);
    await pauseUntil(pace.nextRoundAtMs, channel);
  }
}

function completedByHand(sink: string) {
  return {
    type: 'SinkUnavailable',
    message:
      'the delivery was completed without a receipt, by somebody other than a worker: ' +
      `the token may be in sink ${sink}`,
  };
}

/** Waits until the next round, a redelivery, or a cancel. */
async function pauseUntil(nextRoundAtMs: number, channel: DeliveryChannel): Promise<void> {
  // 0 means no timeout.
  const waitMs = Math.max(1, nextRoundAtMs - Date.now());
  const options = { summary: 'pause before the next round' };
  await condition(() => channel.redelivery !== null, waitMs, options).catch(() => undefined);
}

/** Names the failure of the request's sink too, for which the run keeps waiting. */
function describeBoth(
  sink: string,
  message: string,
  requestSink: string,
  itsMessage: string | null,
): string {
  const redelivered = `redelivery to sink ${sink}: ${message}`;
  return itsMessage ? `${redelivered}; sink ${requestSink}: ${itsMessage}` : redelivered;
}
