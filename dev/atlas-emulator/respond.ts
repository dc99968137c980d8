import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import type { Fault } from './faults';
import type { RouteResponse } from './responses';

/** Long enough for what was written to have left, so that a reset comes after it. */
const FLUSH_MS = 20;

type Query = Record<string, string>;

/** Sends the response, in the way the fault says. */
export async function respond(
  raw: ServerResponse,
  response: RouteResponse,
  query: Query,
  fault?: Fault,
): Promise<void> {
  const { status, headers, payload } = render(response, query, fault);
  if (raw.destroyed) return;
  if (fault?.reset === 'before-body') {
    reset(raw);
    return;
  }

  raw.writeHead(status, headers);
  raw.flushHeaders();
  if (fault?.reset === 'after-headers') return resetAfterFlush(raw);
  if (fault?.reset === 'mid-body' || fault?.truncate) {
    raw.write(payload.subarray(0, Math.floor(payload.length / 2)));
    if (!fault.truncate) return resetAfterFlush(raw);
    raw.socket?.destroySoon();
    return;
  }
  if (fault?.drip) return drip(raw, payload, fault.drip);
  const { socket } = raw;
  raw.end(payload);
  if (fault?.reset === 'after-body') await resetAfterFlush({ socket });
}

/** Applies the published query parameters `envelope` and `pretty`. */
function render(response: RouteResponse, query: Query, fault?: Fault) {
  const enveloped = query['envelope'] === 'true' && typeof response.body !== 'string';
  const body = enveloped ? envelop(response) : response.body;
  const indent = query['pretty'] === 'true' ? 2 : undefined;
  const text =
    typeof body === 'string' ? body : (JSON.stringify(body, null, indent) as string | undefined);
  const plain = Buffer.from(text ?? '');
  const payload = fault?.gzip ? gzipSync(plain) : plain;
  const hasBody = response.status !== 204 || enveloped;
  const headers: Record<string, string> = {};
  if (hasBody) {
    headers['Content-Type'] = fault?.contentType ?? response.contentType ?? 'application/json';
    headers['Content-Length'] = String(payload.length);
  }
  if (fault?.gzip) headers['Content-Encoding'] = 'gzip';
  Object.assign(headers, response.headers, fault?.headers);
  return { status: enveloped ? 200 : response.status, headers, payload };
}

/**
 * The published page: "Endpoints that return a list of results use the results object as an
 * envelope".
 */
function envelop({ status, body }: RouteResponse): object {
  if (typeof body === 'object' && body !== null && 'results' in body) return { ...body, status };
  return { status, content: body ?? {} };
}

async function drip(
  raw: ServerResponse,
  payload: Buffer,
  { bytes, intervalMs }: NonNullable<Fault['drip']>,
): Promise<void> {
  for (let offset = 0; offset < payload.length && !raw.destroyed; offset += bytes) {
    raw.write(payload.subarray(offset, offset + bytes));
    await sleep(intervalMs, undefined, { ref: false });
  }
  raw.end();
}

async function resetAfterFlush(connection: { socket: Socket | null }): Promise<void> {
  await sleep(FLUSH_MS, undefined, { ref: false });
  reset(connection);
}

/**
 * A TCP reset; Node cannot reset below TLS, so there the connection is cut without a closing alert.
 */
function reset({ socket }: { socket: Socket | null }): void {
  if (!socket || socket.destroyed) return;
  if ('encrypted' in socket) socket.destroy();
  else socket.resetAndDestroy();
}
