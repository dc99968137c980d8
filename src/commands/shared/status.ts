import { QueryNotRegisteredError, type Client } from '@temporalio/client';
import { DELIVERY_FAILURE_TYPES, type DeliveryFailureType } from '../../contract/failure-types';
import { statusSchema, type Status } from '../../contract/schemas';
import { statusQuery } from '../../contract/workflows';
import type { RunRef } from '../../temporal/read-history';
import { findTaskProblem, type TaskProblem } from '../../temporal/workflow-task-problem';

const QUERY_TIMEOUT_MS = 5000;

/** The status of a run, or why it cannot be read. */
export type StatusReading =
  { status: Status; problem: null } | { status: null; problem: TaskProblem };

export const NO_RESPONSE: TaskProblem = { description: 'no worker responds', isFailure: false };

const OTHER_STATUS: TaskProblem = { description: 'its status cannot be read', isFailure: false };

/** Asks a worker for the status of a run, for at most five seconds. */
export async function readStatus(
  client: Client,
  { workflowId, runId }: RunRef,
): Promise<StatusReading> {
  const handle = client.workflow.getHandle(workflowId, runId);
  try {
    const result: unknown = await client.connection.withDeadline(
      Date.now() + QUERY_TIMEOUT_MS,
      () => handle.query(statusQuery),
    );
    const status = statusSchema.safeParse(result).data;
    return status ? { status, problem: null } : { status: null, problem: OTHER_STATUS };
  } catch (error) {
    // What the SDK makes of every Query that a worker failed to answer, such as when code and
    // history do not fit.
    if (error instanceof QueryNotRegisteredError) {
      const description = `its worker cannot continue it: ${error.message}`;
      return { status: null, problem: { description, isFailure: true } };
    }
    const problem = await findTaskProblem(client, await handle.describe());
    return { status: null, problem: problem ?? NO_RESPONSE };
  }
}

/**
 * Reads the status of many runs. It stops asking once `maxUnanswered` Queries have had no answer,
 * unless another was answered.
 */
export function createStatusReader(client: Client, maxUnanswered: number) {
  let answered = 0;
  let unanswered = 0;
  return async (run: RunRef): Promise<StatusReading> => {
    if (answered === 0 && unanswered >= maxUnanswered) {
      return { status: null, problem: NO_RESPONSE };
    }
    const reading = await readStatus(client, run);
    if (isAnswer(reading)) answered += 1;
    else unanswered += 1;
    return reading;
  };
}

/** A workflow task that timed out does not show that any worker answers. */
function isAnswer({ problem }: StatusReading): boolean {
  return problem === null || problem === OTHER_STATUS || problem.isFailure;
}

/** Finds the type of the last failure of an undelivered run: its description begins with it. */
export function findFailureType(description: string): DeliveryFailureType | undefined {
  return DELIVERY_FAILURE_TYPES.find((type) => description.startsWith(`${type}: `));
}
