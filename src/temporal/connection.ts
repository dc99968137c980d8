import { Client, Connection, type ConnectionLike } from '@temporalio/client';
import { raceSignal, withTimeout } from '../abort';
import { escapeControls } from '../shared/text';
import { readTemporalSettings, type TemporalSettings } from './connection-settings';
import { GRPC, findGrpcCode, findGrpcError, isDenial } from './grpc';

const CHANNEL_ARGS = {
  // Allows for a large page of a history. gRPC's default is 4 MiB, and SDK 1.24.0 sets the option
  // without its prefix.
  'grpc.max_receive_message_length': 128 * 1024 * 1024,
  // Otherwise grpc-js follows https_proxy and its like in lower case, as the worker's Core does
  // not.
  'grpc.enable_http_proxy': 0,
};

/** For a slow server or machine. A server that is not there is reported at once. */
const CONNECT_TIMEOUT_MS = 10_000;

/** @throws Error that says how to reach Temporal, and quotes no secret. */
export function connectClient(env: NodeJS.ProcessEnv, timeoutMs = CONNECT_TIMEOUT_MS) {
  return connect(env, async (options) => {
    await tryConnection(options, timeoutMs);
    return Connection.connect({ ...options, connectTimeout: timeoutMs, channelArgs: CHANNEL_ARGS });
  });
}

/**
 * Makes one call that is not repeated: `Connection.connect` tries until its timeout, and reports
 * only that.
 *
 * @throws Error that says what keeps a connection from being made, such as TLS.
 */
async function tryConnection(
  options: TemporalSettings['connectionOptions'],
  timeoutMs: number,
): Promise<void> {
  // Without the interceptor that retries until the deadline.
  const connection = Connection.lazy({ ...options, channelArgs: CHANNEL_ARGS, interceptors: [] });
  try {
    await connection.withDeadline(Date.now() + timeoutMs, () =>
      connection.workflowService.getSystemInfo({}),
    );
  } catch (error) {
    const isTimeout = findGrpcCode(error) === GRPC.deadlineExceeded;
    throw isTimeout ? new Error(`no response within ${timeoutMs} ms`) : error;
  } finally {
    await connection.close();
  }
}

/** @throws as `connectClient`. */
export async function connectWorker(env: NodeJS.ProcessEnv, timeoutMs: number) {
  // Loaded here, since the client needs none of the native code.
  const { NativeConnection } = await import('@temporalio/worker');
  // It has no timeout, and would wait for ever for a server that accepts and never responds.
  return connect(env, (options) =>
    withTimeout(timeoutMs, undefined, (signal) =>
      raceSignal(() => NativeConnection.connect(options), signal),
    ),
  );
}

/**
 * Creates a connection, and a client that reads payloads as leniently as the workflows do. Anyone
 * in the namespace can start a run with a memo in another encoding, and Temporal's own converter
 * would let that memo fail every list.
 */
async function connect<C extends ConnectionLike>(
  env: NodeJS.ProcessEnv,
  open: (options: TemporalSettings['connectionOptions']) => Promise<C>,
) {
  const settings = readTemporalSettings(env);
  const { address, namespace, connectionOptions } = settings;
  /** Builds the error for a call that did not reach Temporal, or not with sufficient permission. */
  const unreachable = (error: unknown) => new Error(describeUnreachable(error, settings));
  const connection = await open(connectionOptions).catch((error: unknown) => {
    throw unreachable(error);
  });
  const dataConverter = { payloadConverterPath: require.resolve('../shared/payload-converter') };
  return {
    connection,
    client: new Client({ connection, namespace, dataConverter }),
    address,
    namespace,
    unreachable,
  };
}

/**
 * Minimum length of a secret. A shorter part of a header may be in a message by chance, such as
 * `prod`.
 */
const MIN_SECRET_LENGTH = 8;

function describeUnreachable(
  error: unknown,
  { address, namespace, connectionOptions: { tls }, secrets }: TemporalSettings,
): string {
  const problem = findGrpcError(error)?.details || (error as Error).message;
  // grpc-js names an IP address as the server, which Node.js refuses since version 26.
  const message = /ServerName to an IP address/.test(problem)
    ? 'Node.js opens TLS only to a name: set TEMPORAL_TLS_SERVER_NAME to a name in the certificate'
    : // grpc-js ends a message so even without a note.
      problem.replace(/\. Resolution note: $/, '');
  // The SDK quotes a malformed header, with its own escapes, and a server may quote what it was
  // sent.
  const parts = secrets.flatMap((secret) => secret.split(/[^\x21-\x7e]+/));
  const quotes = parts.some((part) => part.length >= MIN_SECRET_LENGTH && message.includes(part));
  const reason = quotes
    ? 'the reason is not shown, since it quotes a credential,' +
      ' which may hold a line end or a character outside ASCII'
    : escapeControls(message);
  const server =
    `Temporal at ${address}, namespace ${namespace},` +
    ` ${tls ? 'with' : 'without'} TLS (${reason})`;
  const settings =
    'TEMPORAL_ADDRESS, TEMPORAL_NAMESPACE, TEMPORAL_API_KEY or the TEMPORAL_TLS variables';
  if (isDenial(error)) {
    return `no access to ${server}: grant it, or correct ${settings}`;
  }
  return `cannot reach ${server}: start it, or correct ${settings}`;
}
