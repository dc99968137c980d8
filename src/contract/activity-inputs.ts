import { z } from 'zod';
import { MAX_WARNINGS, MAX_WARNING_LENGTH } from './limits';
import { organizationId, sealedTokenSchema, sinkName, validRequestSchema } from './schemas';

/*
 * Inputs of activities, which no caller sees. Anyone who may start work in the namespace can call an
 * activity, so each is parsed.
 */

export const createInputSchema = z.object({
  request: validRequestSchema.extend({
    /** A result that is too large would lose its token. */
    warnings: z.array(z.string().max(MAX_WARNING_LENGTH)).max(MAX_WARNINGS),
  }),
  unconfirmedTokens: z.int().min(0),
  /** Counts the activities of the run that create, from 1: delays grow from each to the next. */
  activityNumber: z.int().min(1),
  /** No attempt starts after this time (milliseconds since the epoch). */
  deadlineAtMs: z.number(),
});

export type CreateInput = z.output<typeof createInputSchema>;

export const linkCheckSchema = z.object({
  orgId: organizationId,
  sourceOrgId: organizationId.nullable(),
  sink: sinkName,
  lastTokenAt: z.iso.datetime().nullable(),
});

export type LinkCheck = z.output<typeof linkCheckSchema>;

/** Each round writes this to the history, so it is small. */
export const deliverInputSchema = sealedTokenSchema.pick({ jwe: true });

export type DeliverInput = z.output<typeof deliverInputSchema>;
