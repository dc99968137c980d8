/**
 * The names of the public contract: workflows, steps and failure types. Workflow code imports its
 * constants from here, so this file stays free of zod and of Node.
 */

export const WORKFLOW_TYPES = {
  prepare: 'prepareLiveMigration',
  prepareOnSchedule: 'prepareOnSchedule',
  checkWorker: 'checkWorker',
} as const;

export const DEFAULT_TASK_QUEUE = 'live-migration-prep';

export const STEPS = [
  'validating',
  'creating',
  'delivering',
  'undelivered',
  'delivered',
  'failed',
  'cancelled',
] as const;

export type Step = (typeof STEPS)[number];

/** The `type` of the ApplicationFailure that ends a run. Callers in any language branch on it. */
export const FAILURE_TYPES = [
  'InvalidRequest',
  'TokenExists',
  'TemporalUnavailable',
  'AtlasRequestRejected',
  'AtlasResponseInvalid',
  'AtlasUnavailable',
  'TokenLost',
  'Cancelled',
] as const;

export type FailureType = (typeof FAILURE_TYPES)[number];

export function isRunFailureType(type: unknown): type is FailureType {
  return (FAILURE_TYPES as readonly unknown[]).includes(type);
}

/** The `type` of a delivery's failure. The Updates fail with it; the run stays open. */
export const DELIVERY_FAILURE_TYPES = [
  'SinkRejected',
  'SinkUnavailable',
  'SealedTokenUnreadable',
] as const;

export type DeliveryFailureType = (typeof DELIVERY_FAILURE_TYPES)[number];

export function isDeliveryFailureType(type: unknown): type is DeliveryFailureType {
  return (DELIVERY_FAILURE_TYPES as readonly unknown[]).includes(type);
}

/**
 * The `type` of the failure with which an Update is refused. A refused Update leaves no trace in
 * history.
 */
export const REFUSAL_TYPES = [
  'DifferentRequest',
  'TooManyWaiting',
  'NothingToDeliver',
  'RedeliveryInProgress',
  'InvalidRequest',
] as const;

export type RefusalType = (typeof REFUSAL_TYPES)[number];

/** The `type` of the failure of `checkWorker` when the worker cannot do its work. */
export const WORKER_CHECK_FAILED = 'WorkerCheckFailed';

/** 24 lower-case hexadecimal digits (pattern from the published Atlas Administration API). */
export const ORGANIZATION_ID = /^[a-f0-9]{24}$/;

export function isOrganizationId(id: unknown): id is string {
  return typeof id === 'string' && ORGANIZATION_ID.test(id);
}

/** The form of a sink's name in a worker's configuration. */
export const SINK_NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/;

export function isSinkName(name: unknown): name is string {
  return typeof name === 'string' && SINK_NAME.test(name);
}

/**
 * Builds the workflow id of a pair of organizations: the Atlas organization and, if any, the source
 * organization.
 *
 * @throws TypeError when `sourceOrgId` is empty: the id would be that of another pair.
 */
export function workflowIdFor(orgId: string, sourceOrgId?: string | null): string {
  if (sourceOrgId === '') throw new TypeError('sourceOrgId is empty: leave it out or pass null');
  return sourceOrgId
    ? `live-migration-prep/${orgId}/${sourceOrgId}`
    : `live-migration-prep/${orgId}`;
}
