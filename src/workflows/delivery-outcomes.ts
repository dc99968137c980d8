import {
  CancellationScope,
  allHandlersFinished,
  condition,
  type ApplicationFailure,
} from '@temporalio/workflow';
import type { Receipt } from '../contract/schemas';

type Outcome = { receipt: Receipt } | { failure: ApplicationFailure };

export type DeliveryOutcomes = ReturnType<typeof createDeliveryOutcomes>;

/** Passes the outcomes of rounds of delivery, and of the run, to the callers of the Updates. */
export function createDeliveryOutcomes() {
  let count = 0;
  let isLast = false;
  let latest: Outcome | null = null;

  function publish(outcome: Outcome): void {
    latest = outcome;
    count += 1;
  }

  return {
    /** Publishes the failure of a round; the run goes on. */
    publishRound: (failure: ApplicationFailure) => publish({ failure }),

    /** Publishes the outcome of the run, and resolves once every caller has it. */
    async publishEnding(outcome: Outcome): Promise<void> {
      isLast = true;
      publish(outcome);
      if (allHandlersFinished()) return;
      // In a cancelled run any other wait would throw at once, and callers would get no outcome.
      await CancellationScope.nonCancellable(() => condition(allHandlersFinished));
    },

    /** @returns the failure of the last round; null before the first ended. */
    getLastFailure: () => (latest && 'failure' in latest ? latest.failure : null),

    /** Waits for the outcome of the round under way, or of the run when it ends before that. */
    async waitForNext(): Promise<Receipt> {
      const before = count;
      // After the last outcome no other follows.
      await CancellationScope.nonCancellable(() => condition(() => count > before || isLast));
      const outcome = latest as Outcome;
      if ('failure' in outcome) throw outcome.failure;
      return outcome.receipt;
    },
  };
}
