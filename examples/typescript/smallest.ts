/** Starts a run, and waits until its token is delivered: npx tsx smallest.ts request.json */
import { readFileSync } from 'node:fs';
import { Client, Connection } from '@temporalio/client';
import { loadClientConnectConfig } from '@temporalio/envconfig';
import { workflowIdFor, type PrepareRequest, type Receipt } from 'live-migration-prep/contract';

const request = JSON.parse(readFileSync(process.argv[2] ?? 'request.json', 'utf8')) as PrepareRequest;

const { connectionOptions, namespace } = loadClientConnectConfig();
const connection = await Connection.connect(connectionOptions);
const client = new Client({ connection, ...(namespace && { namespace }) });

const receipt = (await client.workflow.execute('prepareLiveMigration', {
  workflowId: workflowIdFor(request.orgId, request.sourceOrgId),
  taskQueue: 'live-migration-prep',
  args: [request],
  workflowIdReusePolicy: 'ALLOW_DUPLICATE_FAILED_ONLY',
})) as Receipt;
console.log(`delivered: ${receipt.location}`);
await connection.close();
