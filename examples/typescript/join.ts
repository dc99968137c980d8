/**
 * Starts a run, or joins the open one of an equal request, and learns of a failed delivery at once:
 * npx tsx join.ts request.json
 */
import { readFileSync } from 'node:fs';
import { ApplicationFailure, Client, Connection } from '@temporalio/client';
import { loadClientConnectConfig } from '@temporalio/envconfig';
import {
  DELIVERY_FAILURE_TYPES,
  prepareLinkToken,
  type PrepareRequest,
} from 'live-migration-prep-contract';

const [file] = process.argv.slice(2);
if (file === undefined) throw new Error('usage: npx tsx join.ts request.json');
const request: PrepareRequest = JSON.parse(readFileSync(file, 'utf8'));

const { connectionOptions, namespace } = loadClientConnectConfig();
const connection = await Connection.connect(connectionOptions);
const client = new Client({ connection, ...(namespace && { namespace }) });

try {
  const receipt = await prepareLinkToken(client, request);
  console.log(`delivered: ${receipt.location}`);
} catch (failure) {
  if (!(failure instanceof ApplicationFailure)) throw failure;
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
