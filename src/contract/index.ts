/** The package entry `live-migration-prep/contract`: what callers need. It loads neither zod nor Temporal. */
export { awaitDeliveryUpdate, redeliverUpdate, statusQuery } from './definitions';
export type { CheckWorker, PrepareLiveMigration, PrepareOnSchedule } from './definitions';
export { MAX_TEXT_LENGTH } from './limits';
export {
  DEFAULT_TASK_QUEUE,
  DELIVERY_FAILURE_TYPES,
  FAILURE_TYPES,
  ORGANIZATION_ID,
  SINK_NAME,
  REFUSAL_TYPES,
  STEPS,
  WORKER_CHECK_FAILED,
  WORKFLOW_TYPES,
  isDeliveryFailureType,
  isRunFailureType,
  workflowIdFor,
} from './names';
export type { DeliveryFailureType, FailureType, RefusalType, Step } from './names';
export type {
  CheckReport,
  FailureDetails,
  FieldProblem,
  Finding,
  PrepareRequest,
  Receipt,
  ScheduledRequest,
  ScheduledResult,
  Status,
} from './schemas';
