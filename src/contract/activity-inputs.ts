import { z } from 'zod';
import { organizationId, sealedTokenSchema, sinkName, timestamp, validRequestSchema } from './schemas';

/*
 * Inputs of activities, which no caller sees. Anyone who may start work in the namespace can call an
 * activity, so each is parsed.
 */

export const createInputSchema = z.object({
  request: validRequestSchema,
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
  lastTokenAt: timestamp.nullable(),
});

export type LinkCheck = z.output<typeof linkCheckSchema>;

/** Each round writes this to the history, so it is small. */
export const deliverInputSchema = sealedTokenSchema.pick({ jwe: true });

export type DeliverInput = z.output<typeof deliverInputSchema>;
