/**
 * Branches on each failure type and each way a start is refused, and exits with the code that
 * `live-migration-prep start` has for it: npx tsx failures.ts request.json [--again]
 */
import { readFileSync } from 'node:fs';
import {
  ApplicationFailure,
  Client,
  Connection,
  WithStartWorkflowOperation,
  WorkflowExecutionAlreadyStartedError,
  WorkflowUpdateFailedError,
} from '@temporalio/client';
import { loadClientConnectConfig } from '@temporalio/envconfig';
import {
  DEFAULT_TASK_QUEUE,
  WORKFLOW_TYPES,
  awaitDeliveryUpdate,
  workflowIdFor,
  type DeliveryFailureType,
  type FailureDetails,
  type FailureType,
  type PrepareLiveMigration,
  type PrepareRequest,
  type Receipt,
  type RefusalType,
} from 'live-migration-prep-contract';

const [file, ...options] = process.argv.slice(2);
if (file === undefined) throw new Error('usage: npx tsx failures.ts request.json [--again]');
const request: PrepareRequest = JSON.parse(readFileSync(file, 'utf8'));
if (options.includes('--again')) request.again = true;
const workflowId = workflowIdFor(request);

const { connectionOptions, namespace } = loadClientConnectConfig();
const connection = await Connection.connect(connectionOptions);
const client = new Client({ connection, ...(namespace && { namespace }) });

type AnyType =
  | FailureType
  | DeliveryFailureType
  | Exclude<RefusalType, 'NothingToDeliver' | 'RedeliveryInProgress'>;

/** Meaning of each type for the caller. The compiler reports a type that is missing. */
const REACTIONS: Record<AnyType, { outcome: string; exitCode: number; next: string }> = {
  // The run has failed.
  InvalidRequest: { outcome: 'failed', exitCode: 1, next: 'correct the request, then start again' },
  TokenExists: { outcome: 'refused', exitCode: 6, next: '--again creates another' },
  TemporalUnavailable: { outcome: 'failed', exitCode: 1, next: 'start again later' },
  AtlasRequestRejected: {
    outcome: 'failed',
    exitCode: 1,
    next: 'let the operator fix the credential',
  },
  AtlasResponseInvalid: { outcome: 'failed', exitCode: 1, next: 'look for a stray key in Atlas' },
  AtlasUnavailable: { outcome: 'failed', exitCode: 1, next: 'start again later' },
  TokenLost: {
    outcome: 'failed',
    exitCode: 1,
    next: 'delete its API key in Atlas, then start again',
  },
  Cancelled: {
    outcome: 'cancelled',
    exitCode: 7,
    next: 'if a token is left, delete its key',
  },
  // The run stays open and makes further rounds by itself.
  SinkRejected: { outcome: 'undelivered', exitCode: 5, next: 'let the operator fix the sink' },
  SinkUnavailable: { outcome: 'undelivered', exitCode: 5, next: 'call again: it joins the run' },
  SealedTokenUnreadable: {
    outcome: 'undelivered',
    exitCode: 5,
    next: 'let the operator restore the key',
  },
  // The Update was refused; the open run goes on as if nothing had been sent.
  DifferentRequest: {
    outcome: 'refused',
    exitCode: 6,
    next: 'wait for the open run to end, or cancel it',
  },
};

async function start(): Promise<Receipt> {
  return client.workflow.executeUpdateWithStart(awaitDeliveryUpdate, {
    args: [request],
    startWorkflowOperation: new WithStartWorkflowOperation<PrepareLiveMigration>(
      WORKFLOW_TYPES.prepare,
      {
        workflowId,
        taskQueue: DEFAULT_TASK_QUEUE,
        args: [request],
        workflowIdConflictPolicy: 'USE_EXISTING',
        workflowIdReusePolicy: request.again ? 'ALLOW_DUPLICATE' : 'ALLOW_DUPLICATE_FAILED_ONLY',
      },
    ),
  });
}

function say(outcome: string, text: string, exitCode: number): void {
  console.log(`${outcome}: ${text}`);
  process.exitCode = exitCode;
}

async function explain(error: unknown): Promise<void> {
  if (error instanceof WorkflowExecutionAlreadyStartedError) {
    say('refused (delivered)', 'the newest run delivered a token; --again creates another', 6);
    return;
  }
  const failure = error instanceof WorkflowUpdateFailedError ? error.cause : undefined;
  if (!(failure instanceof ApplicationFailure)) throw error;
  if (isKnown(failure.type)) {
    const { outcome, exitCode, next } = REACTIONS[failure.type];
    const { fields = [], unconfirmedTokens = 0 } = (failure.details?.[0] ??
      {}) as Partial<FailureDetails>;
    say(`${outcome} (${failure.type})`, `${failure.message}; ${next}`, exitCode);
    for (const { field, description } of fields) console.log(`  ${field} ${description}`);
    if (unconfirmedTokens > 0) console.log(`  ${unconfirmedTokens} token(s) may exist in Atlas`);
    return;
  }
  // The run was terminated, or a later version has a type that this program does not know.
  const { status } = await client.workflow.getHandle(workflowId).describe();
  say(status.name.toLowerCase(), failure.message, 1);
}

function isKnown(type: string | null | undefined): type is AnyType {
  return typeof type === 'string' && Object.hasOwn(REACTIONS, type);
}

try {
  say('delivered', (await start()).location, 0);
} catch (error) {
  await explain(error);
} finally {
  await connection.close();
}
