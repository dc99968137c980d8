import type { Client } from '@temporalio/client';
import { toMs } from './grpc';

/** Reads for how long Temporal keeps closed runs. */
export async function readRetentionMs(client: Client): Promise<number> {
  const { namespace } = client.options;
  const { config } = await client.workflowService.describeNamespace({ namespace });
  return toMs(config?.workflowExecutionRetentionTtl);
}
