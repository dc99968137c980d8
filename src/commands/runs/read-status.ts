import type { Client } from '@temporalio/client';
import { DELIVERY_FAILURE_TYPES, type DeliveryFailureType } from '../../contract/failure-types';
import { statusSchema, type Status } from '../../contract/schemas';
import { statusQuery } from '../../contract/workflows';
import type { RunRef } from '../../temporal/read-history';
import { findQueryProblem } from './why-stuck';

const QUERY_TIMEOUT_MS = 5000;

/** The status of a run, or in a clause why it cannot be read. */
export type StatusReading = { status: Status; problem: null } | { status: null; problem: string };

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
    return status
      ? { status, problem: null }
      : { status: null, problem: 'its status is unreadable' };
  } catch (error) {
    return { status: null, problem: findQueryProblem(error) };
  }
}

/** Finds the type of the last failure of an undelivered run: its description begins with it. */
export function findFailureType(description: string): DeliveryFailureType | undefined {
  return DELIVERY_FAILURE_TYPES.find((type) => description.startsWith(`${type}: `));
}
