import type { Info } from '@temporalio/activity';
import type { z } from 'zod';
import { problemOf } from '../contract/check-request';
import { WORKFLOW_TYPES, workflowIdFor } from '../contract/names';
import { invalidRequest } from './failures';

/**
 * Parses what an activity was given. Our workflows send it, and so can anyone who may start work in the namespace.
 *
 * @throws ApplicationFailure of type InvalidRequest.
 */
export function parseInput<Schema extends z.ZodType>(schema: Schema, input: unknown): z.output<Schema> {
  const parsed = schema.safeParse(input);
  if (parsed.success) return parsed.data;
  throw invalidRequest(parsed.error.issues.map(problemOf));
}

type WorkflowExecution = NonNullable<Info['workflowExecution']>;
type RunInfo = Pick<Info, 'workflowExecution' | 'workflowType'>;

/**
 * Refuses to work outside a run of the pair's own workflow id.
 *
 * @throws ApplicationFailure of type InvalidRequest.
 */
export function requireOwnRun(info: RunInfo, orgId: string, sourceOrgId: string | null): WorkflowExecution {
  return requireRun(info, WORKFLOW_TYPES.prepare, workflowIdFor(orgId, sourceOrgId));
}

/**
 * Whoever may start work in the namespace can call an activity directly (server 1.32: `temporal activity execute`), or
 * from a workflow of their own.
 *
 * @throws ApplicationFailure of type InvalidRequest.
 */
export function requireRun(info: RunInfo, workflowType: string, workflowId: string): WorkflowExecution {
  const { workflowExecution } = info;
  if (workflowExecution?.workflowId === workflowId && info.workflowType === workflowType)
    return workflowExecution;
  throw invalidRequest([
    {
      field: 'workflowId',
      description: `is not that of a ${workflowType} run of these organizations: start ${workflowType} with workflow id ${workflowId}`,
    },
  ]);
}
