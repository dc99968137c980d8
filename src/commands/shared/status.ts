import type { Client, WorkflowHandle } from '@temporalio/client';
import { statusQuery } from '../../contract/definitions';
import { DELIVERY_FAILURE_TYPES, type DeliveryFailureType } from '../../contract/names';
import { statusSchema, type Status } from '../../contract/schemas';

const TIMEOUT_MS = 5000;

/** @returns null when no worker answers the Query in time. */
export async function readStatus(client: Client, handle: WorkflowHandle): Promise<Status | null> {
  const result: unknown = await client.connection
    .withDeadline(Date.now() + TIMEOUT_MS, () => handle.query(statusQuery))
    .catch(() => null);
  return statusSchema.safeParse(result).data ?? null;
}

/** Finds the type of the last failure of an undelivered run: its description begins with it. */
export function findFailureType({
  description,
}: Pick<Status, 'description'>): DeliveryFailureType | undefined {
  return DELIVERY_FAILURE_TYPES.find((type) => description.startsWith(`${type}: `));
}
