/**
 * The names of the public contract: workflows, Updates, the Query, steps and failure types. Workflow code imports its
 * constants from here, so this file stays free of zod and of Node.
 */

export const WORKFLOW_TYPES = {
  prepare: 'prepareLiveMigration',
  prepareOnSchedule: 'prepareOnSchedule',
  checkWorker: 'checkWorker',
} as const;

export const DEFAULT_TASK_QUEUE = 'live-migration-prep';

export const STATUS_QUERY = 'status';

export const UPDATES = { redeliver: 'redeliver', awaitDelivery: 'awaitDelivery' } as const;

/** What a run does, or how it ended. */
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

/** The `type` of the failure of a delivery. It fails the Updates; the run stays open. */
export const DELIVERY_FAILURE_TYPES = ['SinkRejected', 'SinkUnavailable', 'SealedTokenUnreadable'] as const;

export type DeliveryFailureType = (typeof DELIVERY_FAILURE_TYPES)[number];

/** The `type` of the failure with which an Update is refused. A refused Update leaves no trace in history. */
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

/** Internal: the failure of an attempt after which Atlas may hold a token that the run never received. */
export const TOKEN_UNCONFIRMED = 'TokenUnconfirmed';

/** 24 lower-case hexadecimal digits (pattern from the published Atlas Administration API). */
export const ORGANIZATION_ID = /^[a-f0-9]{24}$/;

/** Of what a caller writes about a request, in characters. */
export const MAX_TEXT_LENGTH = 200;

/** More entries than this is a mistake: the addresses of one source's hosts fit many times over. */
export const MAX_ACCESS_LIST_ENTRIES = 1000;

/** The most that a validation warns of, and the length of one warning. */
export const MAX_WARNINGS = 20;
export const MAX_WARNING_LENGTH = 500;

/** A genuine link-token has about 1 KB, in bytes of its JSON text. */
export const MAX_LINK_TOKEN_BYTES = 32 * 1024;

/** Bytes of an IPv6 block in JSON, with its quotes and a comma. */
const MAX_ENTRY_BYTES = 46;
/** Bytes of a character in JSON, which escapes some as `\u0000`. */
const MAX_CHARACTER_BYTES = 6;
/** Bytes of the names of the fields, of ids and times, and of the name of the credential. */
const OTHER_BYTES = 4096;

/** Characters of a sealed token that holds the largest link-token and the largest valid request: base64url of JSON. */
export const MAX_JWE_LENGTH = Math.ceil(
  ((MAX_LINK_TOKEN_BYTES +
    MAX_ACCESS_LIST_ENTRIES * MAX_ENTRY_BYTES +
    MAX_WARNINGS * MAX_WARNING_LENGTH +
    2 * MAX_TEXT_LENGTH * MAX_CHARACTER_BYTES +
    OTHER_BYTES) *
    4) /
    3,
);

/** How a sink may be named in a worker's configuration. */
export const SINK_NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/;

/**
 * One run for each pair of organizations: the Atlas organization and, when named, the source organization.
 *
 * @throws TypeError when `sourceOrgId` is empty: the id would be that of another pair.
 */
export function workflowIdFor(orgId: string, sourceOrgId?: string | null): string {
  if (sourceOrgId === '') throw new TypeError('sourceOrgId is empty: leave it out or pass null');
  return sourceOrgId ? `live-migration-prep/${orgId}/${sourceOrgId}` : `live-migration-prep/${orgId}`;
}
