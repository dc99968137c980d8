import path from 'node:path';
import { Client, Connection } from '@temporalio/client';
import { devServerEnv } from '../../dev/temporal/dev-server-env';
import { cleanUpLater } from './clean-up';
import { eventually } from './eventually';
import { runToEnd, type ClientExit } from './run-command';

export interface Temporal {
  address: string;
  client: Client;
}

const CLI = path.join(__dirname, '../../.cache/bin/temporal');

let connecting: Promise<Temporal> | undefined;

/** The server that all test files share. */
export function sharedTemporal(): Promise<Temporal> {
  connecting ??= connect();
  return connecting;
}

async function connect(): Promise<Temporal> {
  const address = process.env['SHARED_TEMPORAL_ADDRESS'];
  if (!address) throw new Error('jest started without its global set-up');
  const connection = await Connection.connect({
    address,
    // For a busy machine.
    connectTimeout: '10m',
    channelArgs: { 'grpc.enable_http_proxy': 0 },
  });
  cleanUpLater(() => connection.close());
  return { address, client: new Client({ connection }) };
}

/** Temporal's list, and its number of runs, lag behind by moments. */
export async function untilListed(query: string, runs: number): Promise<void> {
  const { client } = await sharedTemporal();
  await eventually(
    `${runs} listed runs`,
    async () => (await client.workflow.count(query)).count === runs,
  );
}

/**
 * Waits until the list has the closed runs of a workflow id. A search for an earlier token reads
 * this list.
 */
export function untilClosedAreListed(workflowId: string, runs: number): Promise<void> {
  return untilListed(`WorkflowId = '${workflowId}' AND CloseTime IS NOT NULL`, runs);
}

/** Runs Temporal's own command line to its end, as an operator would. */
export function temporalCli(address: string, ...args: string[]): Promise<ClientExit> {
  return runToEnd(CLI, args, devServerEnv(address));
}
