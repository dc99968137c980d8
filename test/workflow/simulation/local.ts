import { msNumberToTs } from '@temporalio/common/lib/time';
import { computeRetryDelayMs } from './activity';
import { instantly, nowMs, sleep } from './clock';
import { decode, toResolution } from './resolutions';
import type { SimulatedRun } from './run';
import type { Command, Job } from './sdk';
import type { SimulatedTemporal } from './temporal';

/** How long an attempt of a local activity takes, within its workflow task. */
const DURATIONS_MS = [0, 0, 40, 3000];

/**
 * Runs one attempt of a local activity. Core leaves a wait of more than `localRetryThreshold` to
 * the workflow, which sets a timer; here, every wait.
 */
export async function runLocalActivity(
  { tape, workers }: SimulatedTemporal,
  run: SimulatedRun,
  options: NonNullable<Command['scheduleLocalActivity']>,
): Promise<Job> {
  const { seq, activityType, arguments: payloads, retryPolicy, originalScheduleTime } = options;
  const type = String(activityType);
  const attempt = options.attempt ?? 1;
  const scheduledAt = originalScheduleTime ?? msNumberToTs(nowMs());
  const worker = workers.pickForWorkflowTask();
  await sleep(tape.pick(DURATIONS_MS));
  const workflowExecution = { workflowId: run.workflowId, runId: run.runId };
  const info = { workflowExecution, workflowType: run.type, attempt, isLocal: true };
  const args = (payloads ?? []).map(decode);
  const report = await instantly(() => worker.runLocal(info, type, args));
  if (type === 'validateRequest') run.validatedBy = worker;
  const failure = 'failure' in report ? report.failure : null;
  if (failure) run.say(`${worker.name} fails to ${type}: ${failure.message}`);
  const isRetried =
    failure?.applicationFailureInfo?.nonRetryable === false &&
    attempt < (retryPolicy?.maximumAttempts ?? Infinity);
  const delayMs = computeRetryDelayMs(retryPolicy, attempt);
  const backoff = {
    attempt: attempt + 1,
    backoffDuration: msNumberToTs(delayMs),
    originalScheduleTime: scheduledAt,
  };
  const result = isRetried ? { backoff } : toResolution(report, { id: String(seq), type });
  return { resolveActivity: { seq, isLocal: true, result } } as Job;
}
