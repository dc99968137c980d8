import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { NativeConnection, Worker } from '@temporalio/worker';
import { systemErrorCode } from '../files';
import { nameOfError } from '../shared/text';

/**
 * Serves `/livez` (200 as long as the process runs) and `/readyz` (200 when it can take work, else
 * 503 and the reason).
 *
 * @param findProblem finds out why the worker cannot take work now; null when it can.
 */
export async function startHealth(
  { host, port }: { host: string; port: number },
  findProblem: () => Promise<string | null>,
): Promise<{ url: string; close: () => Promise<void> }> {
  const respondReady = async (response: ServerResponse) => {
    const problem = await findProblem().catch(
      (error: unknown) => `cannot tell (${nameOfError(error)})`,
    );
    if (problem === null) respond(response, 200, 'ok');
    else respond(response, 503, problem);
  };
  const server = createServer(({ url }, response) => {
    if (url === '/livez') respond(response, 200, 'ok');
    else if (url === '/readyz') void respondReady(response);
    else response.writeHead(404).end();
  });
  server.listen(port, host);
  await once(server, 'listening').catch((error: unknown) => {
    const place = `${hostPort(host, port)} (${systemErrorCode(error)})`;
    throw new Error(
      `cannot listen on ${place}: set health.port to a free port (another worker may have this` +
        ' one), or to 0 for any, or correct health.host',
    );
  });
  // A failed connection must not end a worker.
  server.on('error', () => undefined);
  const address = server.address() as AddressInfo;
  return {
    url: `http://${hostPort(host, address.port)}`,
    async close() {
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
  };
}

function respond(response: ServerResponse, status: number, text: string): void {
  response.writeHead(status, { 'content-type': 'text/plain' }).end(`${text}\n`);
}

export function hostPort(host: string, port: number): string {
  return `${host.includes(':') ? `[${host}]` : host}:${port}`;
}

const READINESS_TIMEOUT_MS = 1000;

export async function findReadinessProblem(
  worker: Pick<Worker, 'getStatus'>,
  connection: Pick<NativeConnection, 'withDeadline' | 'workflowService'>,
): Promise<string | null> {
  const { runState, workflowPollerState, activityPollerState } = worker.getStatus();
  if (runState !== 'RUNNING') return `the worker is ${runState}`;
  if (workflowPollerState !== 'POLLING') return `the workflow poller is ${workflowPollerState}`;
  if (activityPollerState !== 'POLLING') return `the activity poller is ${activityPollerState}`;
  try {
    await connection.withDeadline(Date.now() + READINESS_TIMEOUT_MS, () =>
      connection.workflowService.getSystemInfo({}),
    );
    return null;
  } catch {
    return 'Temporal does not respond';
  }
}
