import {
  CancellationScope,
  allHandlersFinished,
  condition,
  type ApplicationFailure,
} from '@temporalio/workflow';
import type { Receipt } from '../contract/schemas';

/** A requested redelivery; without `sink` it goes to the sink of the request. */
export interface Redelivery {
  sink?: string | undefined;
}

type PublishedOutcome = { receipt: Receipt } | { failure: ApplicationFailure };

export type DeliveryChannel = ReturnType<typeof createDeliveryChannel>;

/** Connects the loop that delivers with the Updates: they steer it, and wait for its outcomes. */
export function createDeliveryChannel() {
  let scope: CancellationScope | null = null;
  let latest: PublishedOutcome | null = null;
  let isEnding = false;

  const channel = {
    /** The redelivery that has no outcome yet. */
    redelivery: null as Redelivery | null,

    /** Requests a redelivery: stops the delivery under way, or ends the pause. */
    redeliver(redelivery: Redelivery): void {
      channel.redelivery = redelivery;
      scope?.cancel();
    },

    async runStoppable<T>(call: () => Promise<T>): Promise<T> {
      scope = new CancellationScope();
      try {
        return await scope.run(call);
      } finally {
        scope = null;
      }
    },

    publishFailure(failure: ApplicationFailure): void {
      channel.redelivery = null;
      latest = { failure };
    },

    /** Publishes the outcome of the run, and resolves once every caller has it. */
    async publishEnding(outcome: PublishedOutcome): Promise<void> {
      isEnding = true;
      latest = outcome;
      if (allHandlersFinished()) return;
      // In a cancelled run any other wait would throw at once, and callers would get no outcome.
      await CancellationScope.nonCancellable(() => condition(allHandlersFinished));
    },

    getLastFailure: () => (latest && 'failure' in latest ? latest.failure : null),

    /** Waits for the next outcome: of a round, of a redelivery or of the run. */
    async waitForOutcome(): Promise<Receipt> {
      const before = latest;
      // After the ending no other outcome follows.
      await CancellationScope.nonCancellable(() => condition(() => latest !== before || isEnding));
      const outcome = latest as PublishedOutcome;
      if ('failure' in outcome) throw outcome.failure;
      return outcome.receipt;
    },
  };
  return channel;
}
