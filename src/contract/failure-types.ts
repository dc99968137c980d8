/*
 * The types of the failures that callers see. Workflow code imports them, so this file is free of
 * zod and of Node.
 */

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

/** The `type` of the failure that ends `revokeLinkToken`: the API key may still exist. */
export const REVOCATION_FAILURE_TYPES = [
  'InvalidRequest',
  'RevocationRefused',
  'TemporalUnavailable',
  'AtlasRequestRejected',
  'AtlasResponseInvalid',
  'AtlasUnavailable',
] as const;

export type RevocationFailureType = (typeof REVOCATION_FAILURE_TYPES)[number];

export function isRevocationFailureType(type: unknown): type is RevocationFailureType {
  return (REVOCATION_FAILURE_TYPES as readonly unknown[]).includes(type);
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
  'NothingToDeliver',
  'RedeliveryInProgress',
  'InvalidRequest',
] as const;

export type RefusalType = (typeof REFUSAL_TYPES)[number];

/** The `type` of the failure of `checkWorker` when the worker cannot do its work. */
export const WORKER_CHECK_FAILED = 'WorkerCheckFailed';
