import { randomUUID } from 'node:crypto';
import { WorkflowFailedError } from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';
import { WORKFLOW_TYPES } from '../../contract/names';
import {
  checkReportSchema,
  type CheckReport,
  type Finding,
  type PrepareRequest,
} from '../../contract/schemas';
import { formatCount } from '../../shared/text';
import { CommandError, EXIT_CODES } from '../cli/command-error';
import type { CommandContext } from '../cli/temporal';
import { findMissingWorker } from './missing-worker';

/** Allows for three attempts, which take up to a minute, and for a busy worker that starts them late. */
const TIMEOUT_MS = 90_000;

/**
 * Lets a worker of the task queue check itself, or what a request would use. Nothing is created.
 *
 * @returns the report, and the failure of the workflow; null when it completed.
 * @throws CommandError when no worker reports.
 */
export async function checkWorker(
  { client, taskQueue, output }: CommandContext,
  request?: PrepareRequest,
): Promise<{ report: CheckReport; failure: ApplicationFailure | null }> {
  // This machine's clock may be wrong, so a worker counts for the five minutes that the server lists it.
  const problem = await findMissingWorker(client, taskQueue, Infinity);
  if (problem) throw new CommandError(problem);
  output.setFollowUp(
    `no worker of task queue ${taskQueue} has answered: one that has stopped counts as polling for five minutes`,
  );
  const handle = await client.workflow.start(WORKFLOW_TYPES.checkWorker, {
    workflowId: `live-migration-prep-check/${randomUUID()}`,
    taskQueue,
    args: request ? [request] : [],
    workflowExecutionTimeout: TIMEOUT_MS,
  });
  const outcome: unknown = await handle.result().catch(causeOfFailure);
  output.setFollowUp();
  const failure = outcome instanceof ApplicationFailure ? outcome : null;
  const parsed = checkReportSchema.safeParse(failure ? failure.details?.[0] : outcome);
  if (parsed.success) return { report: parsed.data, failure };
  const reason = outcome instanceof Error ? outcome.message : 'its report is not valid';
  throw new CommandError(
    `the workers of task queue ${taskQueue} sent no report (${reason}):` +
      ` start one if none runs, or see ${handle.workflowId} in Temporal`,
  );
}

/**
 * Checks a request as {@link checkWorker} does.
 *
 * @param consequence such as `nothing was started`.
 * @throws CommandError with every problem of the request and every error of the worker.
 */
export async function checkRequestRemotely(
  context: CommandContext,
  request: PrepareRequest,
  consequence: string,
): Promise<CheckReport> {
  const { report, failure } = await checkWorker(context, request);
  if (!failure) return report;
  const { findings, fields } = report;
  // A finding about a field says the same as the field's problem.
  const described = fields.map(({ description }) => description);
  const what =
    fields.length > 0
      ? `the request has ${formatCount(fields.length, 'problem')}`
      : 'checks in the worker failed';
  const broken = findings.filter(({ state, message }) => state === 'error' && !described.includes(message));
  throw new CommandError(
    [
      `${consequence}: ${what}`,
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
