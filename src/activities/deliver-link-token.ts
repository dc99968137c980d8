import { Context } from '@temporalio/activity';
import { ApplicationFailure, CancelledFailure } from '@temporalio/common';
import type { Services } from '../config/services';
import { MAX_MESSAGE_LENGTH } from '../contract/limits';
import { deliverySchema, sinkName, tokenFactsSchema, type TokenFacts } from '../contract/schemas';
import { deliverInputSchema, type Activities, type Backoff } from '../shared/activities';
import { cut, quote } from '../shared/text';
import { classifyDeliveryError } from '../sinks/classify-delivery-error';
import {
  SinkRejectedError,
  SinkUnavailableError,
  describeMissingPair,
  type Sink,
} from '../sinks/sink';
import { WORKER_IDENTITY } from '../version';
import { writeRetryableFailure } from './attempt-retries';
import { withHeartbeats } from './heartbeat';
import { parseInput } from './parse-input';
import { requireRunOfPair } from './require-run';

/**
 * Creates the activity that delivers a sealed token. Apart from the name of the sink, it uses only
 * what is inside the seal.
 *
 * A retry is safe: the sink stores each delivery id once. Cloud Manager has no such id; that
 * posting a token again changes nothing there is not documented.
 */
export function deliverLinkTokenActivity(
  { sealer, sinks, organizations }: Pick<Services, 'sealer' | 'sinks' | 'organizations'>,
  backoff: Backoff,
): Activities['deliverLinkToken'] {
  return async function deliverLinkToken(sealedToken, sinkInput) {
    const context = Context.current();
    const { info, cancellationSignal } = context;
    const { jwe } = parseInput(deliverInputSchema, sealedToken);
    const name = parseInput(sinkName, sinkInput);
    try {
      const openedToken = await sealer.open(jwe, info.workflowExecution?.workflowId ?? '');
      requireRunOfPair(info, openedToken);
      const sink = findSink(name, openedToken);
      // The schemas keep the token out of the receipt, and everything else out of the sink.
      const facts = tokenFactsSchema.parse(openedToken);
      const delivery = deliverySchema.parse(openedToken);
      const fullLocation = await withHeartbeats(() => sink.deliver(delivery, cancellationSignal));
      const location = cut(fullLocation, MAX_MESSAGE_LENGTH);
      return { ...facts, sink: name, location, deliveredAt: new Date().toISOString() };
    } catch (error) {
      if (context.cancellationDetails?.cancelRequested) {
        throw new CancelledFailure('cancelled during delivery');
      }
      if (error instanceof ApplicationFailure) throw error;
      const timing = { info, failureCount: info.attempt, backoff };
      throw writeRetryableFailure(classifyDeliveryError(error), timing);
    }
  };

  /**
   * The configuration may have changed since validation, and a redelivery may name another sink.
   */
  function findSink(name: string, { orgId, sourceOrgId }: TokenFacts): Sink {
    const sink = sinks.get(name);
    if (!sink) {
      // Other workers may have it already, and this one after its restart.
      const remedy =
        'add it to the configuration and restart the worker, or redeliver to another sink';
      throw new SinkUnavailableError(
        `worker ${WORKER_IDENTITY} has no sink ${quote(name)}: ${remedy}`,
      );
    }
    if (!organizations.sinksFor(orgId).includes(name)) {
      const remedy =
        'name the sink under atlas.organizations and restart the workers,' +
        ' or redeliver to another sink';
      throw new SinkRejectedError(
        `sink ${name} is not permitted for organization ${orgId}: ${remedy}`,
      );
    }
    if (sink.needsSourceOrgId && sourceOrgId === null) {
      const problem = `sink ${name} needs the source organization, and the request named none`;
      throw new SinkRejectedError(
        `${problem}: redeliver to another sink, and name sourceOrgId next time`,
      );
    }
    const missingPair = describeMissingPair(name, sink, { orgId, sourceOrgId });
    if (missingPair !== null) {
      // As above, other workers may have it already.
      throw new SinkUnavailableError(`${missingPair}, or redeliver to another sink`);
    }
    return sink;
  }
}
