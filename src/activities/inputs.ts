import { z } from 'zod';
import { organizationId, sealedTokenSchema, sinkName, timestamp, validRequestSchema } from '../contract/schemas';
import type { CreateInput, DeliverInput, LinkCheck } from '../shared/activities';

/*
 * Inputs of activities. Anyone who may start work in the namespace can call an activity, so each is parsed.
 */

export const createInputSchema = z.object({
  request: validRequestSchema,
  unconfirmedTokens: z.int().min(0),
  activityNumber: z.int().min(1),
  deadlineAtMs: z.number(),
}) satisfies z.ZodType<CreateInput>;

export const linkCheckSchema = z.object({
  orgId: organizationId,
  sourceOrgId: organizationId.nullable(),
  sink: sinkName,
  lastTokenAt: timestamp.nullable(),
}) satisfies z.ZodType<LinkCheck>;

export const deliverInputSchema = sealedTokenSchema.pick({ jwe: true }) satisfies z.ZodType<DeliverInput>;
