import type { ApplicationFailure } from '@temporalio/workflow';
import { CancellationScope, allHandlersFinished, condition } from '@temporalio/workflow';
import type { Receipt } from '../contract/schemas';

type Outcome = { receipt: Receipt } | { failure: ApplicationFailure };

export type Rounds = ReturnType<typeof createRounds>;

/** Delivery rounds and the run's ending, as callers of the Updates wait for them. */
export function createRounds() {
  let ended = 0;
  let closed = false;
  let last: Outcome | null = null;

  function end(outcome: Outcome): void {
    last = outcome;
    ended += 1;
  }

  return {
    /** Why the last round failed; null before the first ended. */
    lastFailure: () => (last && 'failure' in last ? last.failure : null),
    /** Ends a failed round: all who wait get its failure, and the run goes on. */
    fail: (failure: ApplicationFailure) => end({ failure }),
    /** Ends the run: all who wait get its outcome, and have got it when this resolves. */
    async close(outcome: Outcome) {
      closed = true;
      end(outcome);
      if (allHandlersFinished()) return;
      // In a cancelled run any other wait would throw at once, and callers would get no outcome.
      await CancellationScope.nonCancellable(() => condition(allHandlersFinished));
    },
    /** The outcome of the round under way, or of the run when it ends before that. */
    async next(): Promise<Receipt> {
      const before = ended;
      // An Update that is accepted after `close` would wait for ever.
      await CancellationScope.nonCancellable(() => condition(() => ended > before || closed));
      const outcome = last as Outcome;
      if ('failure' in outcome) throw outcome.failure;
      return outcome.receipt;
    },
  };
}
