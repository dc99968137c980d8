import type { Client } from '@temporalio/client';
import { commandLine } from '../../contract/command-line';
import { differingFields } from '../../contract/compare-requests';
import { WORKFLOW_TYPES } from '../../contract/names';
import { shellWord } from '../../contract/printable';
import type { PrepareRequest } from '../../contract/schemas';
import { CommandError, EXIT_CODES } from '../cli/command-error';
import { describeReceipt, receiptIn } from '../cli/endings';
import { isDelivered, leftTokens, type Run } from './find-runs';
import { readRequest } from '../../temporal/run-history';

/** Left tokens that one message names. */
const MAX_NAMED = 5;

/** @throws CommandError when a run is none of ours. While it is open, it keeps the id from every run of ours. */
export function refuseForeign({ workflowId, runId, type }: Run, ours: string = WORKFLOW_TYPES.prepare): void {
  if (type === ours) return;
  throw new CommandError(
    `${workflowId} is the id of a run of workflow type ${type}, not ${ours}: look at it with temporal workflow describe --workflow-id ${shellWord(workflowId)}; while it is open it keeps the id, so end it first`,
    EXIT_CODES.refused,
    { workflowId, runId, refused: 'foreignRun' },
  );
}

/** @throws CommandError when the open run has another request: the caller would get the receipt of that one. */
export async function refuseIfDifferent(client: Client, open: Run, request: PrepareRequest): Promise<void> {
  const { workflowId } = open;
  const running = await readRequest(client, open);
  const fields = differingFields(running, request);
  if (fields.length === 0) return;
  const valueIn = (of: unknown, field: string) =>
    JSON.stringify((of as Record<string, unknown> | null | undefined)?.[field]);
  throw new CommandError(
    [
      `DifferentRequest: ${workflowId} is open with a different request`,
      ...fields.map(
        (field) => `  ${field}: open ${valueIn(running, field)}, yours ${valueIn(request, field)}`,
      ),
      'wait for it to end, or cancel it',
    ],
    EXIT_CODES.refused,
    { workflowId, type: 'DifferentRequest', fields },
  );
}

/** @throws CommandError when any run of the id delivered a token: a second one must not follow by accident. */
export async function refuseIfDelivered(client: Client, runs: readonly Run[]): Promise<void> {
  const delivered = runs.find(isDelivered);
  if (!delivered) return;
  const { workflowId, runId } = delivered;
  const receipt = receiptIn(await client.workflow.getHandle(workflowId, runId).result());
  throw new CommandError(
    [
      `a token for these organizations was delivered before (run ${runId}): start --again creates another`,
      ...(receipt ? describeReceipt(receipt) : []),
    ],
    EXIT_CODES.refused,
    { workflowId, runId, refused: 'delivered', receipt },
  );
}

/** @throws CommandError when any closed run of the id left a token that no run delivered. */
export async function refuseIfTokenLeft(client: Client, runs: readonly Run[]): Promise<void> {
  const left = await leftTokens(client, runs);
  const [newest] = left;
  if (!newest) return;
  const { workflowId, runId } = newest.run;
  const more = left.length - MAX_NAMED;
  throw new CommandError(
    [
      ...left
        .slice(0, MAX_NAMED)
        .flatMap(({ run, token }) => [
          `run ${run.runId} (${run.status.name}) left token ${token.deliveryId}, which is not confirmed as delivered; deliver it:`,
          `  ${redeliverClosedCommand(run)}`,
        ]),
      ...(more > 0 ? [`and ${more} more`] : []),
      'or create another with start --again',
    ],
    EXIT_CODES.refused,
    { workflowId, runId, deliveryId: newest.token.deliveryId, refused: 'tokenLeft' },
  );
}

export function redeliverClosedCommand({ workflowId, runId }: Pick<Run, 'workflowId' | 'runId'>): string {
  return commandLine('redeliver', workflowId, '--run-id', runId);
}
