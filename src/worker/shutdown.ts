import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger, Worker } from '@temporalio/worker';
import type { Retries } from '../shared/activities';

/** A draining worker cancels no attempt before this time, so it cuts off no POST in progress. */
export const drainTimeMs = ({ create }: Retries): number => create.attemptTimeoutMs;

const FAILURE_CHECK_INTERVAL_MS = 1000;
const LAST_LINES_MS = 300;

/**
 * Handles SIGTERM and SIGINT. The first signal drains the worker: attempts in progress have time to
 * finish, a POST always enough. The second ends the process at once. Without a handler, Linux would
 * ignore the signals for the first process of a container, even while the worker has not started.
 *
 * @returns a function that names the worker to drain.
 */
export function drainOnSignals(logger: Logger): (worker: Worker) => void {
  let worker: Worker | null = null;
  let signals = 0;
  const onSignal = (signal: NodeJS.Signals) => {
    signals += 1;
    if (signals > 1) process.exit(1);
    if (!worker || worker.getState() === 'INITIALIZED') process.exit(0);
    // A failed worker ends by itself, and cannot drain.
    if (worker.getState() !== 'RUNNING') return;
    logger.info(`${signal}: draining; a second signal ends at once`);
    worker.shutdown();
  };
  process.on('SIGTERM', onSignal);
  process.on('SIGINT', onSignal);
  return (running) => {
    worker = running;
  };
}

/**
 * Runs a worker until it is drained. Ends the process after a failure, which the SDK has logged.
 */
export async function runUntilDrained(worker: Worker, logger: Logger): Promise<void> {
  const drained = new AbortController();
  try {
    await Promise.race([worker.run(), throwOnFailure(worker, drained.signal)]);
  } catch {
    logger.error('worker failed: the process ends');
    // The log is written asynchronously.
    await sleep(LAST_LINES_MS);
    process.exit(1);
  } finally {
    drained.abort();
  }
}

/** Watches the state: after a failure, `worker.run()` may never return. */
async function throwOnFailure(worker: Worker, drained: AbortSignal): Promise<void> {
  while (worker.getState() !== 'FAILED') {
    await sleep(FAILURE_CHECK_INTERVAL_MS, undefined, { signal: drained });
  }
  throw new Error('the worker failed');
}
