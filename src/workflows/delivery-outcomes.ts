import type { ApplicationFailure } from '@temporalio/workflow';
import { CancellationScope, allHandlersFinished, condition } from '@temporalio/workflow';
import type { Receipt } from '../contract/schemas';

type Outcome = { receipt: Receipt } | { failure: ApplicationFailure };

/** The outcomes of rounds of delivery and of the run, as callers of the Updates wait for them. */
export interface DeliveryOutcomes {
  /** Failure of the last round; null before the first ended. */
  lastFailure(): ApplicationFailure | null;
  /** Ends a failed round: all who wait get its failure, and the run goes on. */
  publish(failure: ApplicationFailure): void;
  /** Ends the run: all who wait get its outcome, and have got it when this resolves. */
  close(outcome: Outcome): Promise<void>;
  /** Resolves with the outcome of the round under way, or of the run when it ends before that. */
  next(): Promise<Receipt>;
}

export function createDeliveryOutcomes(): DeliveryOutcomes {
  let ended = 0;
  let closed = false;
  let last: Outcome | null = null;

  function end(outcome: Outcome): void {
    last = outcome;
    ended += 1;
  }

  return {
    lastFailure: () => (last && 'failure' in last ? last.failure : null),
    publish: (failure) => end({ failure }),
    async close(outcome) {
      closed = true;
      end(outcome);
      if (allHandlersFinished()) return;
      // In a cancelled run any other wait would throw at once, and callers would get no outcome.
      await CancellationScope.nonCancellable(() => condition(allHandlersFinished));
    },
    async next() {
      const before = ended;
      // An Update that is accepted after `close` would wait for ever.
      await CancellationScope.nonCancellable(() => condition(() => ended > before || closed));
      const outcome = last as Outcome;
      if ('failure' in outcome) throw outcome.failure;
      return outcome.receipt;
    },
  };
}
