import { WorkflowNotFoundError, type Client } from '@temporalio/client';
import { connectClient } from '../../temporal/connection';
import { GRPC, findGrpcCode, findGrpcError, findReasonOfNoAccess } from '../../temporal/grpc';
import { CommandError, EXIT_CODES } from '../cli/command-error';

/**
 * @throws CommandError; with exit code 3 when Temporal's settings are wrong or it cannot be
 *   reached.
 */
export async function withClient(
  env: NodeJS.ProcessEnv,
  connectTimeoutMs: number | undefined,
  signal: AbortSignal,
  work: (client: Client) => Promise<void>,
): Promise<void> {
  const connecting = connectClient(env, connectTimeoutMs);
  const { connection, client, unreachable } = await connecting.catch((error: unknown) => {
    throw cannotReach(error as Error);
  });
  // A stopped command ends at its next call.
  signal.addEventListener('abort', () => void connection.close());
  try {
    signal.throwIfAborted();
    await work(client);
  } catch (error) {
    if (error instanceof CommandError) throw error;
    if (error instanceof WorkflowNotFoundError) throw unknownRun(error);
    const cause = findReasonOfNoAccess(error);
    if (cause !== null) throw cannotReach(unreachable(cause));
    throw new CommandError(describeSdkError(error));
  } finally {
    await connection.close();
  }
}

function cannotReach({ message }: Error): CommandError {
  return new CommandError(message, EXIT_CODES.unreachable);
}

/** Joins the message of an SDK error with that of the server, which is in its cause. */
export function describeSdkError(error: unknown): string {
  const { message } = error as Error;
  const details = findGrpcError(error)?.details;
  // The SDK has tried for a while.
  if (findGrpcCode(error) === GRPC.resourceExhausted) {
    return `Temporal takes no more requests at present (${details}): repeat the command later`;
  }
  return details && !message.includes(details) ? `${message}: ${details}` : message;
}

function unknownRun({ workflowId, runId }: WorkflowNotFoundError): CommandError {
  const run = runId ? `${workflowId} with run id ${runId}` : workflowId;
  return new CommandError(
    `Temporal has no run ${run}: check the organizations and the namespace;` +
      ' Temporal deletes closed runs after the retention period',
  );
}
