/**
 * The package `live-migration-prep-contract`: what callers need. It loads neither zod nor Temporal.
 */
export * from './definitions';
export { MAX_TEXT_LENGTH } from './limits';
export * from './names';
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
