import { z } from 'zod';
import {
  organizationId,
  type receiptSchema,
  sealedTokenSchema,
  sinkName,
  timestamp,
  validRequestSchema,
  type CheckReport,
  type PrepareRequest,
  type Revocation,
  type Revoked,
  type SealedToken,
} from '../contract/schemas';

/*
 * The activities, with their inputs and results. Workflows import only the types. Anyone who may
 * start work in the namespace can call an activity, so none trusts its input.
 *
 * The types are those of the schemas' input: a worker of the release before wrote no field that
 * has a default here, and a workflow reads what it wrote as it is.
 */

const ms = z.number().min(0);

/** Delays between attempts; each is twice the one before. */
const backoffSchema = z.object({ initialIntervalMs: ms, maximumIntervalMs: ms });

export type Backoff = z.input<typeof backoffSchema>;

const attemptTimeoutsSchema = z.object({
  /** Exceeds the longest attempt of the worker that set it, so that an attempt ends by itself. */
  attemptTimeoutMs: ms,
  heartbeatTimeoutMs: ms,
});

/**
 * The settings `retries`, with the timeouts of an attempt. Both loops of a run have the same
 * backoff.
 */
const retriesSchema = backoffSchema.extend({
  create: attemptTimeoutsSchema,
  /** Creation ends this long after the request was validated. */
  giveUpAfterMs: ms,
  deliver: attemptTimeoutsSchema,
  /** Length of a round of deliveries. The first pause between rounds is `maximumIntervalMs`. */
  roundMs: ms,
});

export type Retries = z.input<typeof retriesSchema>;

/** What a run goes by: its valid request and its retries. Workflow code reads no configuration. */
export const runPlanSchema = z.object({
  request: validRequestSchema,
  retries: retriesSchema,
  /** Whether the run writes search attributes. */
  searchAttributes: z.boolean().optional(),
});

export type RunPlan = z.input<typeof runPlanSchema>;

export const createInputSchema = z.object({
  request: validRequestSchema,
  unconfirmedTokens: z.int().min(0),
  /** Counts the activities of the run that create, from 1: delays grow from each to the next. */
  activityNumber: z.int().min(1),
});

export type CreateInput = z.input<typeof createInputSchema>;

/** Each round writes this to the history, so it is small. */
export const deliverInputSchema = sealedTokenSchema.pick({ jwe: true });

export const linkCheckSchema = z.object({
  orgId: organizationId,
  sourceOrgId: organizationId.nullable(),
  sink: sinkName,
  lastTokenAt: timestamp.nullable(),
});

export const linkStateSchema = z.object({
  linked: z.boolean(),
  /** True when the pair's last token is too young for another one. */
  recentToken: z.boolean(),
  /** The later one of what the schedule knew and what Temporal's list of runs has. */
  lastTokenAt: timestamp.nullable(),
  /** The newest run of the pair that delivered a token. */
  tokenRunId: z.uuid().nullable(),
});

export type LinkState = z.input<typeof linkStateSchema>;

export interface Activities {
  /** @param request as the caller sent it. */
  validateRequest(request: PrepareRequest): Promise<RunPlan>;
  createLinkToken(input: CreateInput): Promise<SealedToken>;
  /** @returns a receipt without what only the run knows. */
  deliverLinkToken(
    sealedToken: Pick<SealedToken, 'jwe'>,
    sink: string,
  ): Promise<Omit<z.input<typeof receiptSchema>, 'alsoTried'>>;
  revokeLinkToken(token: Revocation): Promise<Revoked>;
  checkLink(check: z.input<typeof linkCheckSchema>): Promise<LinkState>;
  /** @param request not validated yet; null to check the worker alone. */
  runChecks(request: unknown): Promise<CheckReport>;
}
