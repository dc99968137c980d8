/**
 * Starts a run, or joins the open one of an equal request, and learns of a failed delivery at once:
 * npx tsx join.ts request.json
 */
import { readFileSync } from 'node:fs';
import { isIPv6 } from 'node:net';
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
  DELIVERY_FAILURE_TYPES,
  WORKFLOW_TYPES,
  awaitDeliveryUpdate,
  workflowIdFor,
  type PrepareLiveMigration,
  type PrepareRequest,
  type Receipt,
} from 'live-migration-prep-contract';

const [file] = process.argv.slice(2);
if (file === undefined) throw new Error('usage: npx tsx join.ts request.json');
const request: PrepareRequest = JSON.parse(readFileSync(file, 'utf8'));
const workflowId = workflowIdFor(request);

const { connectionOptions, namespace } = loadClientConnectConfig();
const connection = await Connection.connect(connectionOptions);
const client = new Client({ connection, ...(namespace && { namespace }) });

/**
 * Writes an entry of an access list as a receipt has it: an address without a mask, IPv6
 * compressed.
 */
function normalize(entry: string): string {
  const [address = '', prefixLength] = entry.split('/');
  const shortest = isIPv6(address) ? new URL(`http://[${address}]`).hostname.slice(1, -1) : address;
  const isAddress = prefixLength === undefined || prefixLength === (isIPv6(address) ? '128' : '32');
  return isAddress ? shortest : `${shortest}/${prefixLength}`;
}

// docs/callers.md refers to this function.
async function startOrJoin(): Promise<Receipt> {
  try {
    return await client.workflow.executeUpdateWithStart(awaitDeliveryUpdate, {
      args: [request],
      startWorkflowOperation: new WithStartWorkflowOperation<PrepareLiveMigration>(
        WORKFLOW_TYPES.prepare,
        {
          workflowId,
          taskQueue: DEFAULT_TASK_QUEUE,
          args: [request],
          workflowIdConflictPolicy: 'USE_EXISTING',
          workflowIdReusePolicy: 'ALLOW_DUPLICATE_FAILED_ONLY',
        },
      ),
    });
  } catch (error) {
    if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
  }
  // The newest run of this id delivered its token, perhaps for another request.
  const receipt = await client.workflow.getHandle<PrepareLiveMigration>(workflowId).result();
  const sorted = (entries: string[]) => [...new Set(entries)].sort().join();
  const isSameList = sorted(receipt.accessListIps) === sorted(request.accessListIps.map(normalize));
  if (receipt.sink === request.sink && isSameList) return receipt;
  const message = `a token was delivered to sink ${receipt.sink} for [${receipt.accessListIps.join()}]`;
  throw ApplicationFailure.nonRetryable(message, 'DifferentRequest');
}

try {
  const receipt = await startOrJoin();
  console.log(`delivered: ${receipt.location}`);
} catch (error) {
  const failure = error instanceof WorkflowUpdateFailedError ? error.cause : error;
  if (!(failure instanceof ApplicationFailure)) throw error;
  const isUndelivered = DELIVERY_FAILURE_TYPES.some((type) => type === failure.type);
  console.log(
    isUndelivered
      ? `undelivered (${failure.type}): ${failure.message}; the run goes on`
      : `failed (${failure.type}): ${failure.message}`,
  );
  process.exitCode = isUndelivered ? 5 : 1;
} finally {
  await connection.close();
}
