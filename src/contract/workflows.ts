import type { QueryDefinition, UpdateDefinition } from '@temporalio/common';
import type {
  CheckReport,
  PrepareRequest,
  Receipt,
  Revocation,
  Revoked,
  ScheduledRequest,
  ScheduledResult,
  Status,
} from './schemas';

/*
 * The workflows with their Updates and Queries, by name and by type. Workflow code and callers load
 * this file, so it is free of zod and of Node. The definitions of Updates and Queries are what
 * `defineUpdate` and `defineQuery` return: written as plain objects, they load nothing.
 */

export const WORKFLOW_TYPES = {
  prepare: 'prepareLiveMigration',
  prepareOnSchedule: 'prepareOnSchedule',
  checkWorker: 'checkWorker',
  revoke: 'revokeLinkToken',
} as const;

export const DEFAULT_TASK_QUEUE = 'live-migration-prep';

/** The workflow `WORKFLOW_TYPES.prepare`. */
export type PrepareLiveMigration = (request: PrepareRequest) => Promise<Receipt>;

/** The workflow `WORKFLOW_TYPES.prepareOnSchedule`. */
export type PrepareOnSchedule = (input: ScheduledRequest) => Promise<ScheduledResult>;

/** The workflow `WORKFLOW_TYPES.checkWorker`. */
export type CheckWorker = (request?: PrepareRequest) => Promise<CheckReport>;

/** The workflow `WORKFLOW_TYPES.revoke`. A receipt fits. */
export type RevokeLinkToken = (token: Revocation) => Promise<Revoked>;

/**
 * Waits for the next outcome: of a round, of a redelivery or of the run. While the run is
 * undelivered, it is refused with the last failure. Its input is the request of the run.
 */
export const awaitDeliveryUpdate = {
  type: 'update',
  name: 'awaitDelivery',
} as UpdateDefinition<Receipt, [PrepareRequest]>;

/** Delivers the token now, to the sink of the request or to another one. */
export const redeliverUpdate = {
  type: 'update',
  name: 'redeliver',
} as UpdateDefinition<Receipt, [{ sink?: string | undefined }]>;

/** Reads what a run says of itself. */
export const statusQuery = { type: 'query', name: 'status' } as QueryDefinition<Status>;
