import { CancellationScope } from '@temporalio/workflow';

/** A requested redelivery; without `sink` it goes to the sink of the request. */
export interface Redelivery {
  sink?: string | undefined;
}

export type RedeliveryControl = ReturnType<typeof createRedeliveryControl>;

/** Lets the Update `redeliver` set the next sink of the delivery loop, and stop the attempt under way. */
export function createRedeliveryControl() {
  let scope: CancellationScope | null = null;
  const control = {
    /** The redelivery that has no outcome yet. */
    redelivery: null as Redelivery | null,
    /** Runs an attempt that a redelivery stops. */
    async runAttempt<T>(attempt: () => Promise<T>): Promise<T> {
      scope = new CancellationScope();
      try {
        return await scope.run(attempt);
      } finally {
        scope = null;
      }
    },
    redeliver(redelivery: Redelivery): void {
      control.redelivery = redelivery;
      scope?.cancel();
    },
  };
  return control;
}
