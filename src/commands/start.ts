import {
  WorkflowExecutionAlreadyStartedError,
  WorkflowNotFoundError,
  type Client,
  type WorkflowHandle,
} from '@temporalio/client';
import { checkRequest } from '../contract/check-request';
import { WORKFLOW_TYPES, workflowIdFor, type PrepareRequest, type Receipt } from '../contract/names';
import { CommandError, EXIT_CODES } from './command-error';
import { describeReceipt, receiptOf } from './ending';
import type { Output } from './output';
import { findUndeliveredToken, inputOf } from './runs';

export interface StartOptions {
  taskQueue: string;
  wait: boolean;
  again: boolean;
}

/** Starts `prepareLiveMigration`, or joins the run that was asked for the same. */
export async function start(
  client: Client,
  request: PrepareRequest,
  { taskQueue, wait, again }: StartOptions,
  output: Output,
): Promise<void> {
  const workflowId = workflowIdFor(request.orgId, request.sourceOrgId);
  if (!again) await refuseIfTokenExists(client, workflowId, output);

  const { handle, joined } = await startOrJoin(client, workflowId, request, taskQueue, again);
  output.say(`${joined ? 'joined the run under way' : 'started'}: ${workflowId}`);
  if (!wait) {
    output.outcome(
      { workflowId, joined },
      `follow it: live-migration-prep watch --workflow-id ${workflowId}`,
    );
    return;
  }
  const receipt = await receiptOf(handle);
  output.outcome({ workflowId, joined, receipt }, describeReceipt(receipt));
}

/** Summary and details that the Temporal UI shows beside a run. */
export function staticMetadata(request: PrepareRequest) {
  const { orgId, sourceOrgId, sink, accessListIps, requestedBy, changeReference } = request;
  const details = [
    `Atlas organization: ${orgId}`,
    `Source organization: ${sourceOrgId ?? 'not named'}`,
    `Access list: ${accessListIps.length} entries`,
    `Sink: ${sink}`,
    requestedBy && `Requested by (a claim): ${requestedBy}`,
    changeReference && `Change: ${changeReference}`,
  ];
  return {
    staticSummary: `Link-token for ${orgId} into ${sink}`,
    staticDetails: details.filter(Boolean).join('  \n'),
  };
}

async function startOrJoin(
  client: Client,
  workflowId: string,
  request: PrepareRequest,
  taskQueue: string,
  again: boolean,
): Promise<{ handle: WorkflowHandle; joined: boolean }> {
  try {
    const handle = await client.workflow.start(WORKFLOW_TYPES.prepare, {
      workflowId,
      taskQueue,
      args: [request],
      workflowIdConflictPolicy: 'FAIL',
      workflowIdReusePolicy: again ? 'ALLOW_DUPLICATE' : 'ALLOW_DUPLICATE_FAILED_ONLY',
      ...staticMetadata(request),
    });
    return { handle, joined: false };
  } catch (error) {
    if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
    const handle = client.workflow.getHandle(workflowId);
    await refuseIfDifferent(handle, request);
    return { handle, joined: true };
  }
}

/** A token that exists must not be followed by a second one by accident. */
async function refuseIfTokenExists(client: Client, workflowId: string, output: Output): Promise<void> {
  const handle = client.workflow.getHandle(workflowId);
  const status = await handle.describe().then(
    (description) => description.status.name,
    (error: unknown) => {
      if (error instanceof WorkflowNotFoundError) return null;
      throw error;
    },
  );
  if (status === null || status === 'RUNNING') return;
  if (status === 'COMPLETED') {
    const receipt = (await handle.result()) as Receipt;
    output.say(describeReceipt(receipt));
    throw new CommandError(
      'a token was created and delivered before; for another one, say --again',
      EXIT_CODES.failed,
      { workflowId, receipt, refused: 'already delivered' },
    );
  }
  const undelivered = await findUndeliveredToken(client, workflowId);
  if (!undelivered) return;
  throw new CommandError(
    `run ${undelivered.runId} holds a token that was not delivered: hand it over with\n  live-migration-prep redeliver --workflow-id ${workflowId}\nor create another with --again`,
  );
}

async function refuseIfDifferent(handle: WorkflowHandle, request: PrepareRequest): Promise<void> {
  const running = await inputOf(handle);
  if (running.sealedToken) {
    throw new CommandError('a redelivery of this token is running: wait for it to end');
  }
  const differences = differencesOf(
    checkRequest(running).request ?? running,
    checkRequest(request).request ?? request,
  );
  if (differences.length === 0) return;
  throw new CommandError(
    `a run for this organization is under way and was asked for something else:\n${differences.join('\n')}\nwait for it to end, or cancel it`,
  );
}

function differencesOf(running: object, asked: object): string[] {
  const left = Object.entries(running);
  const right = new Map(Object.entries(asked));
  return left
    .filter(([key, value]) => key !== 'warnings' && JSON.stringify(value) !== JSON.stringify(right.get(key)))
    .map(
      ([key, value]) => `  ${key}: running ${JSON.stringify(value)}, asked ${JSON.stringify(right.get(key))}`,
    );
}
