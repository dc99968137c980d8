import type { Client } from '@temporalio/client';
import type { RunRef } from '../../temporal/read-history';
import { readStatus, type StatusReading } from '../runs/read-status';
import { NO_RESPONSE } from '../runs/why-stuck';

/** Bounds the Queries at a time: for each, a worker may have to replay a run. */
export const QUERY_CONCURRENCY = 10;

/**
 * Creates a function that reads the status of runs on any task queue. It counts the answers of each
 * queue apart: where no worker responds, it soon stops asking, though workers of other queues do.
 */
export function createStatusReaderOfQueues(client: Client) {
  const readers = new Map<string, ReturnType<typeof createStatusReader>>();
  return (run: RunRef & { taskQueue: string }) => {
    const readOne = readers.get(run.taskQueue) ?? createStatusReader(client, QUERY_CONCURRENCY);
    readers.set(run.taskQueue, readOne);
    return readOne(run);
  };
}

/**
 * Reads the status of many runs. It stops asking once `maxUnanswered` Queries have had no answer,
 * unless another was answered.
 */
export function createStatusReader(client: Client, maxUnanswered: number) {
  let answered = 0;
  let unanswered = 0;
  return async (run: RunRef): Promise<StatusReading> => {
    if (answered === 0 && unanswered >= maxUnanswered) {
      return { status: null, problem: NO_RESPONSE };
    }
    const reading = await readStatus(client, run);
    if (reading.problem === NO_RESPONSE) unanswered += 1;
    else answered += 1;
    return reading;
  };
}
