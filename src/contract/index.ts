/**
 * The package `live-migration-prep-contract`: what callers need. It loads no other package, until
 * `prepareLinkToken` loads Temporal's client.
 */
export * from './failure-types';
export { ORGANIZATION_ID, SINK_NAME, isOrganizationId, isSinkName } from './formats';
export { MAX_TEXT_LENGTH } from './limits';
export { prepareLinkToken } from './prepare-link-token';
export type {
  CheckReport,
  FailureDetails,
  FieldProblem,
  Finding,
  PrepareRequest,
  Receipt,
  Revocation,
  Revoked,
  ScheduledRequest,
  ScheduledResult,
  Status,
} from './schemas';
export { STEPS, type Step } from './states';
export { revocationIdFor, summaryFor, workflowIdFor } from './workflow-id';
export * from './workflows';
