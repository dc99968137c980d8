import { setTimeout as sleep } from 'node:timers/promises';
import { Connection } from '@temporalio/client';
import { NamespaceNotFoundError } from '@temporalio/common';
import type { NativeConnection } from '@temporalio/worker';
import { escapeControls } from '../contract/printable';
import { GRPC, grpcCodeOf, grpcErrorOf } from './grpc';
import { readTemporalSettings, type TemporalSettings } from './settings';

/** A connection to the Temporal that the TEMPORAL_* variables and the profile file name. */
export interface TemporalConnection<C> {
  connection: C;
  address: string;
  namespace: string;
  /** The API key that it was opened with. */
  apiKey: TemporalSettings['connectionOptions']['apiKey'];
  /** The error for a call that did not reach Temporal, or not with sufficient permission. */
  unreachable: (error: unknown) => TemporalUnreachableError;
}

/** Thrown when Temporal cannot be reached. The message says what to do and quotes no secret. */
class TemporalUnreachableError extends Error {
  override readonly name = 'TemporalUnreachableError';
}

/** A page of a history may be that large. gRPC's default is 4 MiB; SDK 1.24.0 sets the option without its prefix. */
const CHANNEL_ARGS = { 'grpc.max_receive_message_length': 128 * 1024 * 1024 };

const DIAGNOSIS_MS = 3000;

/** @throws TemporalSettingsError, TemporalUnreachableError */
export function connectClient(
  env: NodeJS.ProcessEnv,
  timeoutMs: number,
): Promise<TemporalConnection<Connection>> {
  return connect(env, async (options) => {
    try {
      return await Connection.connect({ ...options, connectTimeout: timeoutMs, channelArgs: CHANNEL_ARGS });
    } catch (error) {
      throw (await whyNotConnected(options)) ?? error;
    }
  });
}

/** `Connection.connect` reports only that its time is over. One call that does not wait says why, such as TLS. */
async function whyNotConnected(options: TemporalSettings['connectionOptions']): Promise<unknown> {
  // Without the interceptor that retries until the deadline.
  const connection = Connection.lazy({ ...options, interceptors: [] });
  try {
    await connection.withDeadline(Date.now() + DIAGNOSIS_MS, () =>
      connection.workflowService.getSystemInfo({}),
    );
    return null;
  } catch (error) {
    return grpcCodeOf(error) === GRPC.deadlineExceeded ? null : error;
  } finally {
    await connection.close();
  }
}

/** @throws TemporalSettingsError, TemporalUnreachableError */
export async function connectWorker(
  env: NodeJS.ProcessEnv,
  timeoutMs: number,
): Promise<TemporalConnection<NativeConnection>> {
  // Loaded here, since the client needs none of the native code.
  const { NativeConnection } = await import('@temporalio/worker');
  return connect(env, async (options) => {
    const ready = new AbortController();
    // NativeConnection has no timeout, and waits for ever for a server that accepts and says nothing.
    const timeout = sleep(timeoutMs, null, { signal: ready.signal }).then(() => {
      throw new Error(`no response within ${timeoutMs} ms`);
    });
    return Promise.race([NativeConnection.connect(options), timeout]).finally(() => ready.abort());
  });
}

async function connect<C>(
  env: NodeJS.ProcessEnv,
  open: (options: TemporalSettings['connectionOptions']) => Promise<C>,
): Promise<TemporalConnection<C>> {
  const settings = readTemporalSettings(env);
  const { address, namespace, connectionOptions } = settings;
  const unreachable = (error: unknown) => new TemporalUnreachableError(describeUnreachable(error, settings));
  const connection = await open(connectionOptions).catch((error: unknown) => {
    throw unreachable(error);
  });
  return { connection, address, namespace, apiKey: connectionOptions.apiKey, unreachable };
}

/** Why a worker cannot read its namespace, of which Core quotes the whole status; null for any other error. */
export function namespaceErrorOf(error: unknown, namespace: string): Error | null {
  const [, code, message = ''] =
    /^Namespace .* could not be described: Status \{ code: (\w+), message: "(.*?)", details: /.exec(
      (error as Error).message,
    ) ?? [];
  if (code === undefined) return null;
  return code === 'NotFound' ? new NamespaceNotFoundError(namespace) : new Error(`${code}: ${message}`);
}

/** A shorter header is a word such as `prod`, which a message may hold by chance. */
const MIN_SECRET_LENGTH = 8;

const REFUSED_CODES: readonly number[] = [GRPC.permissionDenied, GRPC.unauthenticated];

function describeUnreachable(
  error: unknown,
  { address, namespace, connectionOptions, secrets }: TemporalSettings,
): string {
  const cause = grpcErrorOf(error);
  // grpc-js ends its own messages with this note, which is often empty.
  const message = (cause?.details ?? (error instanceof Error ? error.message : 'unknown')).replace(
    /[\s.]*Resolution note:\s*$/,
    '',
  );
  // Settings are checked beforehand, so this is for what a server or a later SDK may quote.
  const quotes =
    message.includes('Metadata string value') ||
    secrets.some((secret) => secret.length >= MIN_SECRET_LENGTH && message.includes(secret));
  const reason = quotes ? 'the reason quotes a credential' : escapeControls(message);
  const { tls, apiKey } = connectionOptions;
  // With an API key, the SDK uses TLS by default.
  const how = (tls ?? apiKey !== undefined) ? 'with TLS' : 'without TLS';
  return `cannot reach Temporal at ${address}, namespace ${namespace}, ${how} (${reason}): ${remedyFor(error, reason.replaceAll(address, ''))}`;
}

/** Of OpenSSL and Node, such as "self-signed certificate" or "wrong version number". */
const TLS_PROBLEM = /certificate|SSL|TLS|_CERT_|wrong version number/i;

function remedyFor(error: unknown, reason: string): string {
  const code = grpcCodeOf(error);
  if (error instanceof NamespaceNotFoundError || code === GRPC.notFound)
    return 'name a namespace that exists with TEMPORAL_NAMESPACE or --namespace';
  if (code !== null && REFUSED_CODES.includes(code))
    return 'check TEMPORAL_API_KEY, or the client certificate, and what it may do in this namespace';
  return TLS_PROBLEM.test(reason)
    ? 'correct the TEMPORAL_TLS variables'
    : 'start it, or correct TEMPORAL_ADDRESS, TEMPORAL_NAMESPACE and TEMPORAL_TLS';
}
