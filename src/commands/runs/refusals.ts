import type { Client } from '@temporalio/client';
import { differingFields } from '../../contract/compare-requests';
import type { PrepareRequest } from '../../contract/schemas';
import { WORKFLOW_TYPES } from '../../contract/workflows';
import { describeEarlierToken } from '../../requests/token-exists';
import { commandLine } from '../../shared/command-line';
import { toObject } from '../../shared/object';
import { shellQuote, cutAndEscape } from '../../shared/text';
import { describeRun, type RunDescription, type RunTarget } from '../../temporal/describe-run';
import type { EarlierToken } from '../../temporal/earlier-token';
import { readRun, type RunRef } from '../../temporal/read-history';
import { refusalError, type ErrorFacts } from '../cli/command-error';
import { describeReceipt } from './describe-ending';

/**
 * Describes a run.
 *
 * @throws CommandError when it has another workflow type.
 */
export async function requirePrepareRun(
  client: Client,
  target: RunTarget,
): Promise<RunDescription> {
  const run = await describeRun(client, target);
  refuseOtherWorkflowType(run);
  return run;
}

/**
 * @throws CommandError when a run has another workflow type. While it is open, no run of ours can
 *   start.
 */
export function refuseOtherWorkflowType({
  workflowId,
  runId,
  type,
}: RunRef & { type: string }): void {
  if (type === WORKFLOW_TYPES.prepare) return;
  throw refusalError(
    `${workflowId} is the id of a run of workflow type ${type}, not ${WORKFLOW_TYPES.prepare}:` +
      ` look at it with temporal workflow describe --workflow-id ${shellQuote(workflowId)},` +
      ' and cancel or terminate it if it is open',
    { workflowId, runId, type: 'OtherWorkflowType' },
  );
}

/** Bounds the value of a field: an access list may be long. */
const MAX_VALUE_LENGTH = 1000;

/**
 * @throws CommandError when the open run has a different request, whose receipt the caller would
 *   get.
 */
export async function refuseIfDifferent(
  client: Client,
  open: RunRef,
  request: PrepareRequest,
): Promise<void> {
  const { workflowId } = open;
  const { request: running } = await readRun(client, open);
  const fields = differingFields(running, request);
  if (fields.length === 0) return;
  const describe = (of: unknown, key: string) =>
    cutAndEscape(JSON.stringify(toObject(of)[key] ?? null), MAX_VALUE_LENGTH);
  const lines = [
    `DifferentRequest: ${workflowId} is open with a different request`,
    ...fields.map(
      (key) =>
        `  ${key}: ${describe(running, key)} in the open run, ${describe(request, key)} in yours`,
    ),
    'wait for it to end, or cancel it',
  ];
  if (fields.includes('sink')) {
    const redeliver = commandLine('redeliver', workflowId, '--sink', shellQuote(request.sink));
    lines.push(`to deliver its token to your sink: ${redeliver}`);
  }
  throw refusalError(lines, { workflowId, type: 'DifferentRequest', fields });
}

/**
 * @param request compared with the earlier one; null without a new request.
 * @throws CommandError that says which token exists and what to do.
 */
export function refuseEarlierToken(
  workflowId: string,
  token: EarlierToken,
  request: PrepareRequest | null,
): never {
  const { state, runId, receipt, deliveryId, publicApiKey } = token;
  const lines = [describeEarlierToken(workflowId, token, request)];
  if (receipt) lines.push(...describeReceipt(receipt));
  const facts: ErrorFacts = { workflowId, runId, deliveryId, publicApiKey, state };
  if (state === 'delivered') facts['receipt'] = receipt;
  throw refusalError(lines, facts);
}
