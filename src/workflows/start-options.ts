import { workflowInfo } from '@temporalio/workflow';
import { fitsAsJson } from '../shared/object';
import { UNREADABLE } from '../shared/payload-converter';

/**
 * A server may give every run a long timeout of its own: ten years on the time-skipping test
 * server.
 */
const SHORTEST_PERMITTED_TIMEOUT_MS = 365 * 24 * 3_600_000;
/** The server terminates a run whose memo exceeds 2 MiB when the run adds to it. */
const MAX_MEMO_LENGTH = 16 * 1024;

/**
 * Finds the start options of the run that could create a second token or abandon one.
 *
 * @returns their names. `validateRequest` says in its failure why they are refused.
 */
export function findRefusedOptions(): string[] {
  const { executionTimeoutMs, runTimeoutMs, retryPolicy, cronSchedule, memo } = workflowInfo();
  const isRefused = {
    workflowExecutionTimeout: isTooShort(executionTimeoutMs),
    // The server sets it to the execution timeout where the caller set none.
    workflowRunTimeout: isTooShort(runTimeoutMs) && runTimeoutMs !== executionTimeoutMs,
    retryPolicy,
    cronSchedule,
    memo: memo && (Object.values(memo).includes(UNREADABLE) || !fitsAsJson(memo, MAX_MEMO_LENGTH)),
  };
  return Object.entries(isRefused).flatMap(([name, value]) => (value ? [name] : []));
}

/** @param timeoutMs 0 means no timeout. */
function isTooShort(timeoutMs = 0): boolean {
  return timeoutMs > 0 && timeoutMs < SHORTEST_PERMITTED_TIMEOUT_MS;
}
