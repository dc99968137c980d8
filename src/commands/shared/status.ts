import type { Client, WorkflowHandle } from '@temporalio/client';
import { statusQuery } from '../../contract/definitions';
import { DELIVERY_FAILURE_TYPES, type DeliveryFailureType } from '../../contract/names';
import { statusSchema, type Status } from '../../contract/schemas';
import type { RunRef } from '../../temporal/run-history';

const QUERY_TIMEOUT_MS = 5000;

/** @returns null when no worker answers the Query in time. */
export async function readStatus(client: Client, handle: WorkflowHandle): Promise<Status | null> {
  const result: unknown = await client.connection
    .withDeadline(Date.now() + QUERY_TIMEOUT_MS, () => handle.query(statusQuery))
    .catch(() => null);
  return statusSchema.safeParse(result).data ?? null;
}

/** Reads the status of many runs. It stops asking once so many Queries have had no answer, and none has had one. */
export function createStatusReader(client: Client, maxUnanswered: number) {
  let answered = 0;
  let unanswered = 0;
  return async ({ workflowId, runId }: RunRef): Promise<Status | null> => {
    if (answered === 0 && unanswered >= maxUnanswered) return null;
    const status = await readStatus(client, client.workflow.getHandle(workflowId, runId));
    if (status) answered += 1;
    else unanswered += 1;
    return status;
  };
}

/** Finds the type of the last failure of an undelivered run: its description begins with it. */
export function findFailureType(description: string): DeliveryFailureType | undefined {
  return DELIVERY_FAILURE_TYPES.find((type) => description.startsWith(`${type}: `));
}
