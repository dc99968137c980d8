import { z } from 'zod';
import type { PrepareRequest, Receipt, RedeliverRequest, SealedToken } from './names';

const ORGANIZATION_ID = /^[a-f0-9]{24}$/;

/** 24 lower-case hexadecimal digits (pattern from the published Atlas Administration API). */
export const organizationId = z
  .string('is missing or not a text: write 24 lower-case hexadecimal digits')
  .regex(
    ORGANIZATION_ID,
    'is not 24 lower-case hexadecimal digits: copy it from the organization’s settings page',
  );

const shortText = z.string('is not a text').max(200, 'is longer than 200 characters: shorten it');

/** More entries than this is a mistake: the addresses of one source's hosts fit many times over. */
export const MAX_ACCESS_LIST_ENTRIES = 1000;

export const prepareRequestSchema = z
  .strictObject(
    {
      orgId: organizationId.describe('Atlas organization in which the link-token is created'),
      accessListIps: z
        .array(
          z.string('is not a text: write an address or a CIDR block'),
          'is missing or not a list: write [] where the source skips it',
        )
        .max(
          MAX_ACCESS_LIST_ENTRIES,
          `has more than ${MAX_ACCESS_LIST_ENTRIES} entries: write whole networks as CIDR blocks instead`,
        )
        .describe('Addresses or CIDR blocks of the source; [] where the source skips the list'),
      sink: z
        .string('is missing or not a text: name a configured sink')
        .min(1, 'is empty: name a configured sink')
        .describe('Name of a configured sink'),
      sourceOrgId: organizationId
        .nullish()
        .describe('Organization of Cloud Manager or Ops Manager that will use the token'),
      requestedBy: shortText.nullish().describe('Who asked: a claim kept for the audit, not an identity'),
      changeReference: shortText.nullish().describe('The change or ticket this belongs to'),
    },
    'is not an object: write orgId, accessListIps and sink',
  )
  .meta({ title: 'PrepareRequest' }) satisfies z.ZodType<PrepareRequest>;

const tokenFacts = {
  orgId: organizationId,
  sourceOrgId: organizationId.nullable(),
  accessListIps: z.array(z.string()),
  credential: z.string(),
  warnings: z.array(z.string()),
  requestedBy: z.string().nullable(),
  changeReference: z.string().nullable(),
  deliveryId: z.uuid(),
  tokenSha256: z.string().regex(/^[a-f0-9]{64}$/),
  createdAt: z.iso.datetime(),
  unconfirmedTokens: z.int().min(0),
};

export const sealedTokenSchema = z
  .strictObject({ version: z.literal(1), jwe: z.string(), ...tokenFacts })
  .meta({ title: 'SealedToken' }) satisfies z.ZodType<SealedToken>;

export const receiptSchema = z
  .strictObject({ ...tokenFacts, sink: z.string(), location: z.string(), deliveredAt: z.iso.datetime() })
  .meta({ title: 'Receipt' }) satisfies z.ZodType<Receipt>;

export const redeliverRequestSchema = z
  .strictObject({ sealedToken: sealedTokenSchema, sink: z.string().min(1) })
  .meta({ title: 'RedeliverRequest' }) satisfies z.ZodType<RedeliverRequest>;
