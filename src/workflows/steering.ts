import { CancellationScope } from '@temporalio/workflow';

/** A requested redelivery; without `sink` it goes to the sink of the request. */
export interface Redelivery {
  sink?: string | undefined;
}

/** How the Update `redeliver` steers the delivery loop: it sets what comes next and stops what is under way. */
export interface Steering {
  /** The redelivery that has no outcome yet. */
  redelivery: Redelivery | null;
  /** Runs an attempt that a redelivery stops. */
  run<T>(attempt: () => Promise<T>): Promise<T>;
  redeliver(redelivery: Redelivery): void;
}

export function createSteering(): Steering {
  let scope: CancellationScope | null = null;
  const steering: Steering = {
    redelivery: null,
    async run(attempt) {
      scope = new CancellationScope();
      try {
        return await scope.run(attempt);
      } finally {
        scope = null;
      }
    },
    redeliver(redelivery) {
      steering.redelivery = redelivery;
      scope?.cancel();
    },
  };
  return steering;
}
