import { workflowInfo } from '@temporalio/workflow';
import { WORKFLOW_TYPES } from '../contract/workflows';
import { terminalFailure } from '../shared/application-failure';

export { checkWorker } from './check-worker';
export { prepareLiveMigration } from './prepare-live-migration';
export { prepareOnSchedule } from './prepare-on-schedule';
export { revokeLinkToken } from './revoke-token';

/** Ends a run of an unknown workflow type, which Temporal would otherwise retry for ever. */
// eslint-disable-next-line @typescript-eslint/require-await -- the SDK awaits workflows
export default async function refuseUnknownType(): Promise<never> {
  const workflowType = workflowInfo().workflowType.slice(0, 200);
  throw terminalFailure(
    'UnknownWorkflowType',
    `these workers have no workflow type ${workflowType}: ` +
      `start one of ${Object.values(WORKFLOW_TYPES).join(', ')}, or upgrade the workers first`,
  );
}
