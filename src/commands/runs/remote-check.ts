import { randomUUID } from 'node:crypto';
import { WorkflowFailedError } from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';
import { WORKER_CHECK_FAILED } from '../../contract/failure-types';
import { checkReportSchema, type CheckReport, type PrepareRequest } from '../../contract/schemas';
import { WORKFLOW_TYPES } from '../../contract/workflows';
import { FIRST_POLL_MS, checkTaskQueue } from '../../doctor/task-queue';
import { CommandError, EXIT_CODES } from '../cli/command-error';
import type { CommandContext } from '../cli/context';
import { describeFindings } from '../cli/describe-findings';
import { describeInvalidRequest } from './make-request';

/**
 * Requires a worker that the server lists, as it does for five minutes after the last poll: the
 * clock of this machine may be wrong.
 *
 * @throws CommandError
 */
export async function requireListedWorker({ client, taskQueue }: CommandContext): Promise<void> {
  const polled = { patienceMs: FIRST_POLL_MS, expiresMs: Infinity };
  const { state, message } = await checkTaskQueue(client, taskQueue, polled);
  if (state === 'warning') throw new CommandError(message);
}

/**
 * Allows for three attempts, which take up to a minute, and for a busy worker that starts them
 * late.
 */
const REPORT_TIMEOUT_MS = 90_000;

/**
 * Lets a worker check itself, or what a request would use; call `requireListedWorker` before. A
 * command that is stopped meanwhile says what to look at.
 *
 * @throws CommandError when no worker reports.
 */
export async function requestWorkerCheck(
  context: CommandContext,
  request?: PrepareRequest,
): Promise<CheckReport> {
  const { client, taskQueue, output } = context;
  const workflowId = `live-migration-prep-check/${randomUUID()}`;
  output.setFollowUp(
    `a check has no answer yet from a worker of task queue ${taskQueue}: check that one runs;` +
      ' a stopped worker stays listed as polling for five minutes',
    `if a worker repeats the check, ${workflowId} in Temporal says why`,
  );
  const handle = await client.workflow.start(WORKFLOW_TYPES.checkWorker, {
    workflowId,
    taskQueue,
    args: request ? [request] : [],
    workflowExecutionTimeout: REPORT_TIMEOUT_MS,
  });
  const outcome: unknown = await handle.result().catch((error: unknown) => {
    if (error instanceof WorkflowFailedError) return error.cause;
    throw error;
  });
  output.setFollowUp();
  const content: unknown = outcome instanceof ApplicationFailure ? outcome.details?.[0] : outcome;
  const report = checkReportSchema.safeParse(content).data;
  const isExplained = ({ findings, fields }: CheckReport) =>
    outcome instanceof Error
      ? fields.length > 0 || findings.some(({ state }) => state === 'error')
      : findings.length > 0;
  // A check that failed with no error in its report says why in its failure.
  if (report && isExplained(report)) return report;
  const reason = outcome instanceof Error ? outcome.message : 'its report is not valid';
  throw new CommandError(
    `the workers of task queue ${taskQueue} sent no report (${reason}):` +
      ` start one if none runs, or see ${workflowId} in Temporal`,
  );
}

/**
 * @param consequence such as `nothing was started`.
 * @throws CommandError with every problem of the request and every error of the worker.
 */
export async function checkRequestRemotely(
  context: CommandContext,
  request: PrepareRequest,
  consequence: string,
) {
  const report = await requestWorkerCheck(context, request);
  const { findings, fields } = report;
  const errors = findings.filter(({ state }) => state === 'error');
  if (errors.length + fields.length === 0) return report;
  const [type, lines] =
    fields.length > 0
      ? ['InvalidRequest', describeInvalidRequest(consequence, fields)]
      : [WORKER_CHECK_FAILED, [`${consequence}: checks in the worker failed`]];
  const facts = { type, ...report };
  throw new CommandError(
    [...lines, ...describeFindings(errors).map((line) => `  ${line}`)],
    EXIT_CODES.failed,
    facts,
  );
}
