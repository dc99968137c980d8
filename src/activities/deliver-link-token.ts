import { Context } from '@temporalio/activity';
import { CancelledFailure } from '@temporalio/common';
import type { Access } from '../access';
import type { Receipt, SealedToken } from '../contract/names';
import type { Sealer } from '../sealing';
import { SinkRejectedError, type Sink } from '../sinks/sink';
import { failureOf } from './failures';
import { withHeartbeats } from './heartbeat';
import { judgeSinkError } from './sink-verdicts';

/**
 * Opens a sealed token, hands it to the named sink and returns the receipt.
 *
 * A retry is safe: the sink knows the delivery id, which is the token's own, and delivers it once.
 */
export function deliverLinkTokenActivity(sealing: Sealer, sinks: ReadonlyMap<string, Sink>, access: Access) {
  return async function deliverLinkToken(sealedToken: SealedToken, sinkName: string): Promise<Receipt> {
    const context = Context.current();
    const { info, cancellationSignal } = context;
    const { orgId, unconfirmedTokens } = sealedToken;
    return withHeartbeats(
      () => undefined,
      async () => {
        try {
          const sink = permittedSink(orgId, sinkName);
          const token = await sealing.open(sealedToken, info.workflowExecution?.workflowId ?? '');
          const location = await sink.deliver({ ...sealedToken, token }, cancellationSignal);
          return receiptOf(sealedToken, sinkName, location);
        } catch (error) {
          if (context.cancellationDetails?.cancelRequested)
            throw new CancelledFailure('cancelled while delivering');
          throw failureOf(judgeSinkError(error), unconfirmedTokens, info);
        }
      },
    );
  };

  /** Asked again at delivery: the configuration may have changed since the request was validated. */
  function permittedSink(orgId: string, name: string): Sink {
    const sink = access.sinksFor(orgId).includes(name) ? sinks.get(name) : undefined;
    if (sink) return sink;
    throw new SinkRejectedError(
      `the worker has no sink ${name} for organization ${orgId}: configure it, then redeliver, or redeliver to another`,
    );
  }
}

/** Field by field, so that what is sealed cannot slip into a receipt. */
function receiptOf(token: SealedToken, sink: string, location: string): Receipt {
  return {
    orgId: token.orgId,
    sourceOrgId: token.sourceOrgId,
    sink,
    deliveryId: token.deliveryId,
    location,
    accessListIps: token.accessListIps,
    credential: token.credential,
    tokenSha256: token.tokenSha256,
    createdAt: token.createdAt,
    deliveredAt: new Date().toISOString(),
    unconfirmedTokens: token.unconfirmedTokens,
    warnings: token.warnings,
    requestedBy: token.requestedBy,
    changeReference: token.changeReference,
  };
}
