import { Client, Connection, isGrpcServiceError } from '@temporalio/client';
import { NamespaceNotFoundError } from '@temporalio/common';
import { loadClientConnectConfig } from '@temporalio/envconfig';
import { CommandError, EXIT_CODES } from './command-error';

/** With the start of the program it has to be told within 5 s, on a busy machine too. */
const CONNECT_TIMEOUT_MS = 3000;
/** The part of gRPC's status codes that says the server could not be asked, or not as whom we are. */
const UNREACHABLE_CODES = new Set([4, 7, 14, 16]);

/**
 * Runs a command with a client of the Temporal that TEMPORAL_ADDRESS, TEMPORAL_NAMESPACE, TLS, API key and profile name.
 *
 * @throws CommandError with exit code 3 when Temporal cannot be reached.
 */
export async function withTemporal<T>(work: (client: Client) => Promise<T>): Promise<T> {
  const { connectionOptions, namespace = 'default' } = loadClientConnectConfig();
  const address = connectionOptions.address ?? 'localhost:7233';
  const unreachable = (error: unknown) =>
    new CommandError(
      `cannot reach Temporal at ${address}, namespace ${namespace} (${(error as Error).message}): start it, or set TEMPORAL_ADDRESS and TEMPORAL_NAMESPACE`,
      EXIT_CODES.cannotReachTemporal,
    );
  const connection = await Connection.connect({
    ...connectionOptions,
    connectTimeout: CONNECT_TIMEOUT_MS,
  }).catch((error: unknown) => {
    throw unreachable(error);
  });
  try {
    return await work(new Client({ connection, namespace }));
  } catch (error) {
    if (error instanceof NamespaceNotFoundError) throw unreachable(error);
    const cause = error instanceof Error && isGrpcServiceError(error.cause) ? error.cause : error;
    if (isGrpcServiceError(cause) && UNREACHABLE_CODES.has(cause.code)) throw unreachable(cause);
    throw error;
  } finally {
    await connection.close();
  }
}
