import type { NativeConnection, Worker, WorkerStatus } from '@temporalio/worker';
import { GRPC, grpcCodeOf } from '../temporal/grpc';

/** An idle poll lasts a minute (Temporal's `matching.longPollExpirationInterval`), and probes may be 10 s apart. */
const MAX_POLL_AGE_MS = 70_000;
const TIMEOUT_MS = 1000;

/** What readiness depends on. */
export interface ReadinessSources {
  status: () => Pick<WorkerStatus, 'runState' | 'workflowPollerState' | 'activityPollerState'>;
  /**
   * When Temporal received this worker's latest poll for workflow tasks, by its clock; null when it knows of none,
   * undefined when it does not say. A worker with all activity slots taken polls for workflow tasks only.
   *
   * @throws when Temporal does not respond.
   */
  latestPoll: () => Promise<string | null | undefined>;
}

/**
 * Makes a function that says why the worker cannot take work now, or null when it can. A lost connection shows
 * within two seconds. Polls that are lost alone show after 70 s: until then an idle worker has no reason to poll again.
 */
export function createReadiness({ status, latestPoll }: ReadinessSources): () => Promise<string | null> {
  let latest: string | null = null;
  let arrivedMs = 0;

  return async () => {
    const { runState, workflowPollerState, activityPollerState } = status();
    if (runState !== 'RUNNING') return `the worker is ${runState}`;
    if (workflowPollerState !== 'POLLING') return `the workflow poller is ${workflowPollerState}`;
    if (activityPollerState !== 'POLLING') return `the activity poller is ${activityPollerState}`;
    let found;
    try {
      found = await latestPoll();
    } catch {
      return 'Temporal does not respond';
    }
    if (found === undefined) return null;
    if (found === null) return 'Temporal has received no poll from this worker';
    // Only changes count: the clocks of the server and of this host may differ.
    if (found !== latest) {
      latest = found;
      arrivedMs = performance.now();
    }
    const ageMs = performance.now() - arrivedMs;
    if (ageMs <= MAX_POLL_AGE_MS) return null;
    return `Temporal has received no poll from this worker for ${Math.round(ageMs / 1000)} s`;
  };
}

export function readinessSources(
  worker: Worker,
  connection: NativeConnection,
  { namespace, taskQueue }: { namespace: string; taskQueue: string },
): ReadinessSources {
  const { workflowService } = connection;
  // Of the queue of workflow tasks, which is the default of the API.
  const describe = () => workflowService.describeTaskQueue({ namespace, taskQueue: { name: taskQueue } });
  return {
    status: () => worker.getStatus(),
    latestPoll: onceASecond(async () => {
      try {
        const { pollers } = await connection.withDeadline(Date.now() + TIMEOUT_MS, describe);
        const time = pollers.find(({ identity }) => identity === worker.options.identity)?.lastAccessTime;
        return time ? `${String(time.seconds)}.${time.nanos}` : null;
      } catch (error) {
        const code = grpcCodeOf(error);
        if (code === GRPC.permissionDenied || code === GRPC.unimplemented) return undefined;
        throw error;
      }
    }),
  };
}

/** Anyone who reaches the port may send probes, and many must not become as many calls of Temporal. */
function onceASecond<T>(look: () => Promise<T>): () => Promise<T> {
  let last: { look: Promise<T>; startedMs: number } | null = null;
  return () => {
    if (!last || performance.now() - last.startedMs > 1000) {
      last = { look: look(), startedMs: performance.now() };
    }
    return last.look;
  };
}
