import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import type { Rendered } from './answer';
import type { Fault } from './faults';

/** Long enough for what was written to have left, so that a reset comes after it. */
const FLUSH_MS = 20;

/** Sends the answer, in the way the fault asks for. */
export async function deliver(response: ServerResponse, answer: Rendered, fault?: Fault): Promise<void> {
  const { status, headers, payload } = fault?.gzip ? zipped(answer) : answer;
  if (response.destroyed) return;
  if (fault?.reset === 'before-body') {
    reset(response);
    return;
  }

  response.writeHead(status, headers);
  response.flushHeaders();
  if (fault?.reset === 'after-headers') return resetAfterFlush(response);
  if (fault?.reset === 'mid-body' || fault?.truncate) {
    response.write(payload.subarray(0, Math.floor(payload.length / 2)));
    if (!fault.truncate) return resetAfterFlush(response);
    response.socket?.destroySoon();
    return;
  }
  if (fault?.drip) return drip(response, payload, fault.drip);
  const { socket } = response;
  response.end(payload);
  if (fault?.reset === 'after-body') await resetAfterFlush({ socket });
}

async function drip(
  response: ServerResponse,
  payload: Buffer,
  { bytes, intervalMs }: NonNullable<Fault['drip']>,
): Promise<void> {
  for (let sent = 0; sent < payload.length && !response.destroyed; sent += bytes) {
    response.write(payload.subarray(sent, sent + bytes));
    await sleep(intervalMs, undefined, { ref: false });
  }
  response.end();
}

function zipped({ status, headers, payload }: Rendered): Rendered {
  const zip = gzipSync(payload);
  return {
    status,
    headers: { ...headers, 'Content-Encoding': 'gzip', 'Content-Length': String(zip.length) },
    payload: zip,
  };
}

async function resetAfterFlush(connection: { socket: Socket | null }): Promise<void> {
  await sleep(FLUSH_MS, undefined, { ref: false });
  reset(connection);
}

/** A TCP reset; Node cannot reset below TLS, so there the connection is cut without a closing alert. */
function reset({ socket }: { socket: Socket | null }): void {
  if (!socket || socket.destroyed) return;
  if ('encrypted' in socket) socket.destroy();
  else socket.resetAndDestroy();
}
