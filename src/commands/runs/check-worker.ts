import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { WorkflowFailedError, type Client } from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';
import { WORKFLOW_TYPES } from '../../contract/names';
import {
  checkReportSchema,
  type CheckReport,
  type Finding,
  type PrepareRequest,
} from '../../contract/schemas';
import { CommandError, EXIT_CODES } from '../cli/command-error';
import { OTHER_QUEUE, whyStillNoWorker } from './missing-worker';

/** Three tries take up to a minute; a busy worker starts them late. */
const TIMEOUT_MS = 90_000;
const LOOK_INTERVAL_MS = 2000;

/**
 * Lets a worker of the task queue check itself, or what a request would use. Nothing is created.
 *
 * @returns the report; `failure` is that of the workflow, null when it completed.
 * @throws CommandError when no worker reports.
 */
export async function checkWorker(
  client: Client,
  taskQueue: string,
  request?: PrepareRequest,
): Promise<{ report: CheckReport; failure: ApplicationFailure | null }> {
  // This clock may be wrong by any time: whatever the server still lists, which it does for five minutes, counts.
  await requireWorker(client, taskQueue, Infinity);
  const handle = await client.workflow.start(WORKFLOW_TYPES.checkWorker, {
    workflowId: `live-migration-prep-check/${randomUUID()}`,
    taskQueue,
    args: request ? [request] : [],
    workflowExecutionTimeout: TIMEOUT_MS,
  });
  const { startTime } = await handle.describe();
  const clockAheadMs = Date.now() - startTime.getTime();
  const outcome: unknown = await unlessNoWorker(handle.result().catch(causeOfFailure), () =>
    requireWorker(client, taskQueue, clockAheadMs),
  );
  const failure = outcome instanceof ApplicationFailure ? outcome : null;
  const parsed = checkReportSchema.safeParse(failure ? failure.details?.[0] : outcome);
  if (parsed.success) return { report: parsed.data, failure };
  const reason = outcome instanceof Error ? outcome.message : 'its report is not valid';
  throw new CommandError(
    `the workers of task queue ${taskQueue} sent no report (${reason}): see ${handle.workflowId} in Temporal`,
  );
}

/**
 * Checks a request as {@link checkWorker} does.
 *
 * @param consequence such as `nothing was started`.
 * @throws CommandError with every problem of the request and every error of the worker.
 */
export async function checkRequestRemotely(
  client: Client,
  taskQueue: string,
  request: PrepareRequest,
  consequence: string,
): Promise<CheckReport> {
  const { report, failure } = await checkWorker(client, taskQueue, request);
  if (!failure) return report;
  const { findings, fields } = report;
  const broken = findings.filter(({ state }) => state === 'error');
  throw new CommandError(
    [
      `${consequence}: ${fields.length > 0 ? `the request has ${fields.length} problem(s)` : 'checks in the worker failed'}`,
      ...fields.map(({ field, description }) => `  ${field} ${description}`),
      ...describeFindings(broken).map((line) => `  ${line}`),
    ],
    EXIT_CODES.failed,
    { type: failure.type, ...report },
  );
}

export function describeFindings(findings: readonly Finding[]): string[] {
  return findings.map(({ check, state, message }) => `${state.padEnd(10)}${check}: ${message}`);
}

function causeOfFailure(error: unknown): unknown {
  if (error instanceof WorkflowFailedError) return error.cause;
  throw error;
}

/** A worker may stop meanwhile, or have stopped just before. */
async function unlessNoWorker<T>(work: Promise<T>, requireWorkerNow: () => Promise<void>): Promise<T> {
  const waiting = Symbol();
  for (;;) {
    // It must not keep the process from ending.
    const outcome = await Promise.race([work, sleep(LOOK_INTERVAL_MS, waiting, { ref: false })]);
    if (outcome !== waiting) return outcome;
    await requireWorkerNow();
  }
}

async function requireWorker(client: Client, taskQueue: string, clockAheadMs: number): Promise<void> {
  const problem = await whyStillNoWorker(client, taskQueue, clockAheadMs, OTHER_QUEUE);
  if (problem) throw new CommandError(problem);
}
