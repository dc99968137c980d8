/**
 * What callers and the workflows share: names, failure types and the shapes of the data. Workflow code imports
 * this file and nothing else of the contract, so it must stay free of zod and of Node.
 */

export const WORKFLOW_TYPES = {
  prepare: 'prepareLiveMigration',
  redeliver: 'redeliverLinkToken',
} as const;

export const DEFAULT_TASK_QUEUE = 'live-migration-prep';

export const STATUS_QUERY = 'status';

/** The `type` of the ApplicationFailure that ends a run badly. Callers in any language branch on it. */
export const FAILURE_TYPES = [
  'InvalidRequest',
  'AtlasRequestRejected',
  'AtlasResponseInvalid',
  'AtlasUnavailable',
  'TokenLost',
  'SinkRejected',
  'SinkUnavailable',
  'SealedTokenUnreadable',
] as const;

export type FailureType = (typeof FAILURE_TYPES)[number];

/**
 * One run for each pair of organizations: the Atlas organization and, when named, the source organization.
 * Runs that a schedule starts carry the time behind this id.
 */
export function workflowIdFor(orgId: string, sourceOrgId?: string | null): string {
  return sourceOrgId ? `live-migration-prep/${orgId}/${sourceOrgId}` : `live-migration-prep/${orgId}`;
}

/** What a caller sends to `prepareLiveMigration`. Organization ids are 24 lower-case hexadecimal digits. */
export interface PrepareRequest {
  /** The Atlas organization in which the link-token is created. */
  orgId: string;
  /** Addresses or CIDR blocks of the source; `[]` is legitimate (sources in Cloud Manager skip the list). */
  accessListIps: string[];
  /** Name of a sink in the worker's configuration. */
  sink: string;
  /** The organization of Cloud Manager or Ops Manager that will use the token. */
  sourceOrgId?: string | null | undefined;
  /** Who asked, in the caller's own words: a claim for the audit, not an identity. */
  requestedBy?: string | null | undefined;
  /** The change or ticket this belongs to, in the caller's own words. */
  changeReference?: string | null | undefined;
}

/** A request that passed every rule that needs no call to Atlas. */
export interface ValidRequest {
  orgId: string;
  sourceOrgId: string | null;
  /** Normalised and without duplicates, exactly as Atlas will be sent them. */
  accessListIps: string[];
  sink: string;
  /** Name of the configured credential, never the secret. */
  credential: string;
  warnings: string[];
  requestedBy: string | null;
  changeReference: string | null;
}

/** A created token on its way to a sink: all that is known of it, the secret itself only inside `jwe`. */
export interface SealedToken extends Omit<ValidRequest, 'sink'> {
  version: 1;
  /** Compact JWE, `dir` + A256GCM; header `kid`, `jti` (deliveryId), `sub` (orgId), `aud` (workflow id). */
  jwe: string;
  /** UUID, new for each token and the same over every delivery of it. */
  deliveryId: string;
  /** SHA-256 of the token in lower-case hex, by which a leaked token can be recognised. */
  tokenSha256: string;
  /** RFC 3339, UTC. */
  createdAt: string;
  /** How many tokens Atlas may have created without our learning of them. Errs upwards only. */
  unconfirmedTokens: number;
}

/** What a run that went well returns. It holds no secret, and every key is always present. */
export interface Receipt extends Omit<SealedToken, 'version' | 'jwe'> {
  sink: string;
  /** Where the token went, in words an operator can follow. */
  location: string;
  /** RFC 3339, UTC. */
  deliveredAt: string;
}

/** What `redeliverLinkToken` takes: a token that an earlier run of the same workflow id sealed. */
export interface RedeliverRequest {
  sealedToken: SealedToken;
  sink: string;
}

export type Step = 'validating' | 'creating' | 'delivering' | 'delivered' | 'failed' | 'cancelled';

/** Answer of the `status` query. */
export interface Status {
  step: Step;
  /** One sentence an operator can act on. */
  description: string;
  /** Null while, and where, the workflow cannot know it. */
  unconfirmedTokens: number | null;
}

/** Details (first element) of the failure that ends a run. */
export interface FailureDetails {
  /** HTTP status of the answer that decided, where there was one. */
  status?: number;
  errorCode?: string;
  reason?: string;
  detail?: string;
  /** What is wrong with which field: Atlas's `badRequestDetail.fields`, or ours. */
  fields?: FieldProblem[];
  unconfirmedTokens: number;
}

export interface FieldProblem {
  /** Path of the field, such as `accessListIps[3]`. */
  field: string;
  description: string;
}

/** How Temporal spaces the attempts of one activity, and when it gives up. */
export interface RetrySettings {
  initialIntervalMs: number;
  backoffCoefficient: number;
  maximumIntervalMs: number;
  giveUpAfterMs: number;
}

/** Settings of one activity for one run. */
export interface ActivityPlan extends RetrySettings {
  /** Start-to-close: longer than the longest attempt, so that an attempt ends by itself. */
  attemptTimeoutMs: number;
}

/** What `validateRequest` returns: workflow code reads no configuration. */
export interface ValidatedRequest {
  request: ValidRequest;
  create: ActivityPlan;
  deliver: ActivityPlan;
}

/** Heartbeat details of `createLinkToken`, by which the count of unconfirmed tokens outlives an attempt. */
export interface CreateHeartbeat {
  attempt: number;
  unconfirmedTokens: number;
}

/** The activities as workflows see them. Those whose name starts with `validate` are local. */
export interface Activities {
  validateRequest(request: PrepareRequest): Promise<ValidatedRequest>;
  validateRedelivery(request: RedeliverRequest): Promise<{ deliver: ActivityPlan }>;
  createLinkToken(request: ValidRequest): Promise<SealedToken>;
  deliverLinkToken(sealedToken: SealedToken, sink: string): Promise<Receipt>;
}
