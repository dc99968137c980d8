import { CancellationScope, condition } from '@temporalio/workflow';
import type { DeliveryFailureType } from '../contract/names';
import type { Receipt, Recovery } from '../contract/schemas';
import type { ValidatedRequest } from '../shared/activities';
import { proxyDeliverLinkToken } from './activity-proxies';
import { parseReceipt, settle, type ParsedFailure, type RunToken } from './activity-results';
import { cancellationFailure, isCancelled } from './cancellation';
import { decideDeliveryKind, decideDelivery, type DeliveryKind, type RoundPace } from './decisions';
import type { DeliveryChannel } from './delivery-channel';
import { createFailure } from './run-failures';
import type { RunStatus } from './run-status';
import { describePair } from './run-texts';

const COMPLETED_BY_OTHER_CLIENT =
  'the delivery was completed without a receipt of this request, by somebody other than a worker';

/**
 * Delivers a token, however long that takes: a round of attempts, a pause, the next round; a redelivery is one attempt
 * at once.
 *
 * @throws ApplicationFailure of type `Cancelled` when the run is cancelled before the token is confirmed as delivered.
 */
export async function deliverToken(
  { status, channel }: { status: RunStatus; channel: DeliveryChannel },
  { request, retries: { deliver: retries } }: ValidatedRequest,
  sealedToken: RunToken,
  recovery: Recovery | undefined,
): Promise<Receipt> {
  const sinksTried = new Set(recovery?.sinksTried);
  const cancelled = () => cancellationFailure(status.current, sealedToken, [...sinksTried]);
  let pace: RoundPace = { pauseMs: retries.firstPauseMs, nextRoundAtMs: Date.now() };
  let requestSinkFailure: string | null = null;

  const runActivity = (kind: DeliveryKind, sink: string) => {
    status.showDelivering(sealedToken, sink);
    const summary = `deliver token ${sealedToken.deliveryId} of ${describePair(request)} to sink ${sink}`;
    const deliverLinkToken = proxyDeliverLinkToken(retries, kind !== 'round', request.orgId, summary);
    const call = () => deliverLinkToken({ jwe: sealedToken.jwe }, sink);
    return settle(
      kind === 'final' ? CancellationScope.nonCancellable(call) : channel.runActivity(call),
      (result) => parseReceipt(result, request, sink, recovery ? null : sealedToken.deliveryId),
      { type: 'SinkUnavailable', message: `${COMPLETED_BY_OTHER_CLIENT}: the token may be in sink ${sink}` },
    );
  };
  const report = (type: DeliveryFailureType, { message }: ParsedFailure, sink: string) => {
    if (sink === request.sink) requestSinkFailure = message;
    const described = sink === request.sink ? message : describeBoth(sink, message, request.sink, requestSinkFailure);
    const { unconfirmedTokens } = status.current;
    const failure = createFailure(type, described, { unconfirmedTokens });
    status.reportUndelivered(failure, sink, pace.nextRoundAtMs);
    channel.publishFailure(failure);
  };
  const waitForNextRound = () => {
    // 0 means no timeout.
    const waitMs = Math.max(1, pace.nextRoundAtMs - Date.now());
    // A cancel ends the wait too.
    const options = { summary: 'pause before the next round' };
    return condition(() => channel.redelivery !== null, waitMs, options).catch(() => undefined);
  };

  for (let isFirst = true; ; isFirst = false) {
    const { redelivery } = channel;
    const sink = redelivery?.sink ?? request.sink;
    const kind = decideDeliveryKind(isFirst, isCancelled(), redelivery !== null);
    if (!kind) throw cancelled();
    const outcome = await runActivity(kind, sink);
    if ('result' in outcome) {
      sinksTried.delete(sink);
      return { ...outcome.result, alsoTried: [...sinksTried] };
    }

    const { failure } = outcome;
    if (failure.sinkTried) sinksTried.add(sink);
    const moment = { isCancelled: isCancelled(), nowMs: Date.now(), random: Math.random() };
    const isSuperseded = channel.redelivery !== redelivery;
    const situation = { kind, isSuperseded, isElsewhere: sink !== request.sink, ...moment } as const;
    const decision = decideDelivery(failure, situation, pace, retries);
    if (decision.next === 'cancelled') throw cancelled();
    if (decision.next === 'redeliver') continue;
    pace = decision;
    report(decision.type, failure, sink);
    await waitForNextRound();
  }
}

/** Names the failure of the request's sink too, for which the run keeps waiting. */
function describeBoth(sink: string, message: string, requestSink: string, itsMessage: string | null): string {
  const redelivered = `redelivery to sink ${sink}: ${message}`;
  return itsMessage ? `${redelivered}; sink ${requestSink}: ${itsMessage}` : redelivered;
}
