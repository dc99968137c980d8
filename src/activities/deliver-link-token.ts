import { Context, type Info } from '@temporalio/activity';
import { ApplicationFailure, CancelledFailure } from '@temporalio/common';
import type { Activities, DeliverPlan } from '../contract/activities';
import { quote } from '../contract/printable';
import { deliverInputSchema, deliveryFactsSchema, sinkName, tokenFactsSchema } from '../contract/schemas';
import type { Organizations } from '../config/organizations';
import type { Sealer } from '../sealing';
import { SinkRejectedError, SinkUnavailableError, type Sink } from '../sinks/sink';
import { classifyDeliveryError } from './delivery-outcomes';
import { deliveryFailure } from './failures';
import { parseInput, requireOwnRun } from './guards';
import { withHeartbeats } from './heartbeat';

/**
 * Opens a sealed token, delivers it to the named sink and returns the receipt. Everything that it uses of the token comes
 * from inside the seal.
 *
 * A retry is safe: the sink knows the delivery id, which is the token's own, and stores it once.
 */
export function deliverLinkTokenActivity(
  sealer: Sealer,
  sinks: ReadonlyMap<string, Sink>,
  organizations: Organizations,
  plan: DeliverPlan,
): Activities['deliverLinkToken'] {
  return async function deliverLinkToken(tokenInput, sinkInput) {
    const context = Context.current();
    const { info, cancellationSignal } = context;
    const { jwe } = parseInput(deliverInputSchema, tokenInput);
    const name = parseInput(sinkName, sinkInput);
    let sinkTried = !isFirstAttempt(info);
    try {
      const token = await sealer.open(jwe, info.workflowExecution?.workflowId ?? '');
      requireOwnRun(info, token.orgId, token.sourceOrgId);
      const sink = permittedSink(token.orgId, name);
      // Picked by their schemas, so that the token cannot slip into a receipt, nor anything else into a sink.
      const facts = tokenFactsSchema.parse(token);
      sinkTried = true;
      const location = await withHeartbeats(() =>
        sink.deliver({ ...deliveryFactsSchema.parse(token), token: token.linkToken }, cancellationSignal),
      );
      return { ...facts, sink: name, location, deliveredAt: new Date().toISOString() };
    } catch (error) {
      if (context.cancellationDetails?.cancelRequested)
        throw new CancelledFailure('cancelled during delivery');
      if (error instanceof ApplicationFailure) throw error;
      const timing = { plan, attempt: info.attempt, deadlineAtMs: roundEndMs(info) };
      throw deliveryFailure(classifyDeliveryError(error), timing, sinkTried);
    }
  };

  /** Decided again at delivery: the configuration may have changed since the request was validated. */
  function permittedSink(orgId: string, name: string): Sink {
    const sink = sinks.get(name);
    if (sink && organizations.sinksFor(orgId).includes(name)) return sink;
    if (sink) {
      throw new SinkRejectedError(
        `sink ${name} is not permitted for organization ${orgId}: name it under atlas.organizations, or redeliver to another sink`,
      );
    }
    // Another worker may have it already, and this one after its restart.
    throw new SinkUnavailableError(
      `this worker has no sink ${quote(name)}: add it to the configuration and restart the worker, or redeliver to another sink`,
    );
  }
}

/** `temporal activity reset` sets the attempt number back to 1, but not the time of the first schedule. */
function isFirstAttempt({
  attempt,
  scheduledTimestampMs,
  currentAttemptScheduledTimestampMs,
}: Info): boolean {
  return attempt === 1 && scheduledTimestampMs === currentAttemptScheduledTimestampMs;
}

/** No attempt starts after it; schedule-to-close leaves room for one that started before. */
function roundEndMs({ scheduledTimestampMs, scheduleToCloseTimeoutMs, startToCloseTimeoutMs }: Info): number {
  return scheduledTimestampMs + scheduleToCloseTimeoutMs - startToCloseTimeoutMs;
}
