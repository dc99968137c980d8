/**
 * Starts a run, or joins the open one of an equal request, and learns of a failed delivery at once:
 * npx tsx join.ts request.json [--again <run id>]
 */
import { readFileSync } from 'node:fs';
import { ApplicationFailure, Client, Connection } from '@temporalio/client';
import { loadClientConnectConfig } from '@temporalio/envconfig';
import {
  isDeliveryFailureType,
  prepareLinkToken,
  type PrepareRequest,
} from 'live-migration-prep-contract';

const [file, option, runId] = process.argv.slice(2);
if (file === undefined) throw new Error('usage: npx tsx join.ts request.json [--again <run id>]');
const request: PrepareRequest = JSON.parse(readFileSync(file, 'utf8'));
if (option === '--again' && runId) request.again = runId;

const { connectionOptions, namespace } = loadClientConnectConfig();
const connection = await Connection.connect(connectionOptions);
const client = new Client({ connection, ...(namespace && { namespace }) });

try {
  const receipt = await prepareLinkToken(client, request);
  console.log(`delivered: ${receipt.location}`);
} catch (failure) {
  if (!(failure instanceof ApplicationFailure)) throw failure;
  const [outcome, exitCode] = judge(failure.type);
  console.log(`${outcome} (${failure.type}): ${failure.message}`);
  process.exitCode = exitCode;
} finally {
  await connection.close();
}

/** Names the outcome, with the exit code that `live-migration-prep start` has for it. */
function judge(type: string | null | undefined): [outcome: string, exitCode: number] {
  // The run goes on.
  if (isDeliveryFailureType(type)) return ['undelivered', 5];
  if (type === 'DifferentRequest' || type === 'TokenExists') return ['refused', 6];
  if (type === 'Cancelled') return ['cancelled', 7];
  return ['failed', 1];
}
