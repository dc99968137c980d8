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
  const lines = [
    `DifferentRequest: ${workflowId} is open with a different request`,
    ...describeDifferences(fields, running, request).map((difference) => `  ${difference}`),
    'wait for it to end, or cancel it',
  ];
  if (fields.includes('sink')) {
    const redeliver = commandLine('redeliver', workflowId, '--sink', shellQuote(request.sink));
    lines.push(`to deliver its token to your sink: ${redeliver}`);
  }
  throw refusalError(lines, { workflowId, type: 'DifferentRequest', fields });
}

function describeDifferences(fields: readonly string[], earlier: object, request: object) {
  const describe = (of: object, field: string) =>
    cutAndEscape(JSON.stringify(toObject(of)[field] ?? null), MAX_VALUE_LENGTH);
  return fields.map(
    (field) =>
      `${field}: ${describe(earlier, field)} in that run, ${describe(request, field)} in yours`,
  );
}

/**
 * @param request compared with the earlier one; null without a new request.
 * @throws CommandError that says which token was delivered, where it is and what to do; of type
 *   `DifferentRequest` if it was delivered for a different one.
 */
export function refuseEarlierToken(
  workflowId: string,
  token: EarlierToken,
  request: PrepareRequest | null,
): never {
  const { runId, receipt, request: earlier } = token;
  const lines = [describeEarlierToken(workflowId, token, request)];
  const facts: ErrorFacts = { workflowId, runId, state: 'delivered', receipt };
  const fields = request ? differingFields(earlier, request) : [];
  if (request && fields.length > 0) {
    Object.assign(facts, { type: 'DifferentRequest', fields });
    const differences = describeDifferences(fields, earlier, request).join('; ');
    lines.unshift(`DifferentRequest: a token was delivered for another request: ${differences}`);
  }
  if (receipt) lines.push(...describeReceipt(receipt));
  throw refusalError(lines, facts);
}
