import { workflowInfo } from '@temporalio/workflow';
import { WORKFLOW_TYPES } from '../contract/names';
import { terminalFailure } from './failures';

/** Ends a run of a workflow type that this release does not have, which Temporal would otherwise retry for ever. */
// eslint-disable-next-line @typescript-eslint/require-await -- the SDK awaits workflows
export async function refuseUnknownType(): Promise<never> {
  const { workflowType } = workflowInfo();
  throw terminalFailure(
    'UnknownWorkflowType',
    `these workers have no workflow type ${workflowType.slice(0, 200)}: start one of ${Object.values(WORKFLOW_TYPES).join(', ')}, or upgrade the workers first`,
  );
}
