/** Starts a run, and waits until its token is delivered: npx tsx smallest.ts request.json */
import { readFileSync } from 'node:fs';
import { Client, Connection } from '@temporalio/client';
import { loadClientConnectConfig } from '@temporalio/envconfig';
import {
  DEFAULT_TASK_QUEUE,
  WORKFLOW_TYPES,
  workflowIdFor,
  type PrepareLiveMigration,
  type PrepareRequest,
} from 'live-migration-prep-contract';

const [file] = process.argv.slice(2);
if (file === undefined) throw new Error('usage: npx tsx smallest.ts request.json');
const request: PrepareRequest = JSON.parse(readFileSync(file, 'utf8'));

const { connectionOptions, namespace } = loadClientConnectConfig();
const connection = await Connection.connect(connectionOptions);
const client = new Client({ connection, ...(namespace && { namespace }) });

const receipt = await client.workflow.execute<PrepareLiveMigration>(WORKFLOW_TYPES.prepare, {
  workflowId: workflowIdFor(request),
  taskQueue: DEFAULT_TASK_QUEUE,
  args: [request],
  workflowIdReusePolicy: 'ALLOW_DUPLICATE_FAILED_ONLY',
});
console.log(`delivered: ${receipt.location}`);
await connection.close();
