/** The package entry `live-migration-prep/contract`: what callers need. It loads neither zod nor Temporal. */
export {
  DEFAULT_TASK_QUEUE,
  DELIVERY_FAILURE_TYPES,
  FAILURE_TYPES,
  ORGANIZATION_ID,
  REFUSAL_TYPES,
  STATUS_QUERY,
  STEPS,
  UPDATES,
  WORKFLOW_TYPES,
  revocationIdFor,
  workflowIdFor,
} from './names';
export type { DeliveryFailureType, FailureType, RefusalType, Step } from './names';
export type {
  FailureDetails,
  FieldProblem,
  PrepareRequest,
  Receipt,
  RevokeRequest,
  RevokeResult,
  ScheduledRequest,
  ScheduledResult,
  Status,
} from './schemas';
