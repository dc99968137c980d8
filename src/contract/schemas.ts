import { z } from 'zod';
import { CLAIMS, forEachClaim } from './claims';
import { NOT_AN_ORGANIZATION_ID, ORGANIZATION_ID, PUBLIC_API_KEY, SHA256 } from './formats';
import {
  MAX_ACCESS_LIST_ENTRIES,
  MAX_DETAIL_LENGTH,
  MAX_ENTRY_LENGTH,
  MAX_FIELDS,
  MAX_FINDINGS,
  MAX_JWE_LENGTH,
  MAX_LINK_TOKEN_BYTES,
  MAX_MESSAGE_LENGTH,
  MAX_SINKS_TRIED,
  MAX_TEXT_LENGTH,
  MAX_TIME_LENGTH,
  MAX_WARNINGS,
  MAX_WARNING_LENGTH,
} from './limits';
import { STEPS } from './states';

/*
 * Anyone in the namespace can write what these read. zod makes an issue for each element of an
 * unbounded array.
 */

export const organizationId = z
  .string('is missing or not a string: write 24 lower-case hexadecimal digits')
  .regex(ORGANIZATION_ID, NOT_AN_ORGANIZATION_ID);

const shortText = z
  .string('is not a string')
  .max(MAX_TEXT_LENGTH, `is longer than ${MAX_TEXT_LENGTH} characters: shorten it`);

const accessListIps = z
  .array(
    z
      .string('is not a string: write an address or a CIDR block')
      .max(MAX_ENTRY_LENGTH, 'is longer than any block: write an address or a CIDR block'),
    'is missing or not a list: write [] for a source in Cloud Manager',
  )
  .max(
    MAX_ACCESS_LIST_ENTRIES,
    `has more than ${MAX_ACCESS_LIST_ENTRIES} entries: write whole networks as CIDR blocks instead`,
  );

const count = z.int().min(0);
const message = z.string().max(MAX_MESSAGE_LENGTH);
const detail = z.string().max(MAX_DETAIL_LENGTH);
const sha256 = z.string().regex(SHA256);
export const publicApiKey = z.string().regex(PUBLIC_API_KEY).nullable();

/** A time as RFC 3339 in UTC. The format alone permits any number of decimals. */
export const timestamp = z.iso.datetime().max(MAX_TIME_LENGTH);

export const sinkName = z
  .string('is missing or not a string: name a configured sink')
  .min(1, 'is empty: name a configured sink')
  .max(MAX_TEXT_LENGTH, `is longer than ${MAX_TEXT_LENGTH} characters: name a configured sink`);

const NO_PERMISSION =
  'is neither true nor the id of a run:' +
  ' write true, or the run id that the failure TokenExists names';

export const prepareRequestSchema = z
  .strictObject(
    {
      orgId: organizationId.describe('Atlas organization in which the link-token is created'),
      accessListIps: accessListIps.describe(
        '[] for a source in Cloud Manager;' +
          ' else the public addresses or CIDR blocks of the Ops Manager instances',
      ),
      sink: sinkName.describe('Name of a sink in the configuration of the worker'),
      sourceOrgId: organizationId
        .nullish()
        .describe('Cloud Manager organization that will use the token'),
      ...forEachClaim((claim) =>
        shortText.nullish().describe(`Claimed ${CLAIMS[claim]}: kept for the audit, not checked`),
      ),
      again: z
        .union([z.literal(true), z.uuid(NO_PERMISSION)], NO_PERMISSION)
        .nullish()
        .describe(
          'Absent: a delivered token of these organizations ends the run as TokenExists;' +
            ' the id of a run: only a token of a newer run does; true: none does',
        ),
    },
    'is not an object: write orgId, accessListIps and sink',
  )
  .meta({ title: 'PrepareRequest', description: 'Input of the workflow prepareLiveMigration' });

export type PrepareRequest = z.input<typeof prepareRequestSchema>;

const sinksTried = z.array(sinkName).max(MAX_SINKS_TRIED);

const requestFacts = {
  orgId: organizationId.describe('Atlas organization in which the link-token was created'),
  sourceOrgId: organizationId.nullable().describe('Organization that will use the token, if named'),
  accessListIps: accessListIps.describe(
    'The access list as sent to Atlas: normalised, without duplicates',
  ),
  credential: shortText.describe('Name of the configured credential that created the token'),
  warnings: z
    .array(z.string().max(MAX_WARNING_LENGTH))
    .max(MAX_WARNINGS)
    .describe('Warnings about the access list'),
  // Null in what a release wrote that did not have the claim.
  ...forEachClaim((claim) =>
    shortText.nullable().default(null).describe(`Claimed ${CLAIMS[claim]}`),
  ),
};

/**
 * A request that passed every rule that needs no call to Atlas, its access list normalised. A field
 * of a newer release is ignored: one of its workers has validated it.
 */
export const validRequestSchema = z.object({ ...requestFacts, sink: sinkName });

export type ValidRequest = z.output<typeof validRequestSchema>;

const tokenFacts = {
  ...requestFacts,
  deliveryId: z.uuid().describe('Identifies the token; the same in every delivery'),
  tokenSha256: sha256.describe(
    'SHA-256 of the token in lower-case hex, by which a leaked token can be recognised',
  ),
  // Null in what a release wrote that did not have it.
  publicApiKey: publicApiKey
    .default(null)
    .describe(
      'Public key of the API key that the token embeds, as Atlas lists it;' +
        ' null if the worker could not read it from the token',
    ),
  createdAt: timestamp.describe('When Atlas returned the token (RFC 3339, UTC)'),
  unconfirmedTokens: count.describe(
    'Upper bound of other tokens that Atlas may have created and the run never received',
  ),
};

/** Everything that is known of a created token, without the token itself. */
export const tokenFactsSchema = z.object(tokenFacts);

export type TokenFacts = z.output<typeof tokenFactsSchema>;

/** A token to deliver, with the facts that a sink stores beside it. */
export const deliverySchema = tokenFactsSchema
  .omit({ accessListIps: true, credential: true, warnings: true, unconfirmedTokens: true })
  .extend({
    linkToken: z.string().min(1).max(MAX_LINK_TOKEN_BYTES).describe('The link-token: a credential'),
  });

/**
 * A created token in history. `jwe` holds the token and everything that delivery uses; the readable
 * facts beside it are for people.
 */
export const sealedTokenSchema = z.object({ jwe: z.string().max(MAX_JWE_LENGTH), ...tokenFacts });

/** As a worker wrote it, perhaps one of the release before, without the fields that are newer. */
export type SealedToken = z.input<typeof sealedTokenSchema>;

/** The result of a run. It has no secret, and every key is always present. */
export const receiptSchema = z
  .object({
    ...tokenFacts,
    sink: sinkName.describe('Name of the sink that has the token'),
    location: message.describe('Where the token is, in terms that an operator can follow'),
    deliveredAt: timestamp.describe('When the sink accepted the token (RFC 3339, UTC)'),
    alsoTried: sinksTried.describe(
      'Every other sink to which a delivery was addressed: the token may be there too',
    ),
  })
  .meta({
    title: 'Receipt',
    description:
      'Result of prepareLiveMigration. Later versions may add fields:' +
      ' ignore those you do not know.',
  });

export type Receipt = z.output<typeof receiptSchema>;

/** Input of `revokeLinkToken`. A receipt fits: other fields are ignored. */
export const revocationSchema = z.object({
  orgId: organizationId.describe('Atlas organization of the token'),
  publicApiKey: z
    .string('is missing or not a string: write the public key of the API key of a token')
    .regex(PUBLIC_API_KEY, 'is not a public key of Atlas: write that of the API key of a token')
    .describe('Public key of the API key that the token embeds'),
  createdAt: timestamp.nullish().describe('When the token was created, if known'),
});

export type Revocation = z.input<typeof revocationSchema>;

/** Result of `revokeLinkToken`. */
export const revokedSchema = z.object({
  orgId: organizationId,
  publicApiKey: z.string().regex(PUBLIC_API_KEY),
  keyId: shortText.nullable().describe('Id of the deleted API key; null if it was gone'),
  outcome: z.enum(['deleted', 'gone']),
  at: timestamp.describe('When the worker found it so (RFC 3339, UTC)'),
});

export type Revoked = z.output<typeof revokedSchema>;

/** Input of `prepareOnSchedule`. */
export const scheduledRequestSchema = z.strictObject({
  request: prepareRequestSchema,
  always: z.boolean().optional().describe('Create a token each time, whether or not one is in use'),
});

export type ScheduledRequest = z.input<typeof scheduledRequestSchema>;

/** Result of `prepareOnSchedule`. */
export const scheduledResultSchema = z.object({
  outcome: z.enum(['prepared', 'alreadyRunning', 'alreadyLinked', 'recentToken']),
  lastTokenAt: timestamp.nullable().describe('When the last known token of the pair was created'),
  receipt: receiptSchema
    .nullable()
    .describe('Of the run that this one started; null when it started none'),
});

export type ScheduledResult = z.output<typeof scheduledResultSchema>;

/** Result of the Query `status`. */
export const statusSchema = z.object({
  step: z.enum(STEPS),
  description: message.describe('One sentence that an operator can act on'),
  unconfirmedTokens: count,
  deliveryId: z.uuid().nullable().describe('Of the token, once it exists'),
  nextAttemptAt: timestamp
    .nullable()
    .describe('When the next attempt to create or to deliver starts, while the run waits'),
});

export type Status = z.output<typeof statusSchema>;

export const fieldProblemSchema = z.object({
  field: detail.describe('Path of the field, such as accessListIps[3]'),
  description: detail.describe('What is wrong, and what to write instead'),
});

export type FieldProblem = z.output<typeof fieldProblemSchema>;

const fields = z.array(fieldProblemSchema).max(MAX_FIELDS);

export const findingSchema = z.object({
  check: detail.describe('What was checked, such as `sink drop`'),
  state: z.enum(['ok', 'unchecked', 'warning', 'error']),
  message: message.describe('What works, or what is wrong and what to do'),
});

/** The result of one check. An error stops runs; a warning says what may stop them later. */
export type Finding = z.output<typeof findingSchema>;

/** Result of `checkWorker`, and the details (first element) of its failure. */
export const checkReportSchema = z.object({
  findings: z.array(findingSchema).max(MAX_FINDINGS),
  worker: detail.optional().describe('Identity of the worker that checked, as Temporal shows it'),
  request: validRequestSchema
    .nullable()
    .describe(
      'The request as a run would use it; null when there is none, or when it is not valid',
    ),
  fields: fields.describe('What is wrong with which field of the request'),
});

export type CheckReport = z.output<typeof checkReportSchema>;

/** Details (first element) of a failure, of a run or of a delivery. */
export const failureDetailsSchema = z
  .object({
    status: z.int().optional().describe('HTTP status of the response that decided'),
    errorCode: detail.optional().describe('Error code of Atlas'),
    reason: detail
      .optional()
      .describe('Reason that Atlas gave, or the code of a failed connection'),
    detail: detail.optional().describe('Detail that Atlas gave'),
    fields: fields.optional().describe('What is wrong with which field'),
    unconfirmedTokens: count.describe(
      'Upper bound of tokens that Atlas may have created and the run never received',
    ),
    deliveryId: z
      .uuid()
      .nullish()
      .describe(
        'Cancelled: the token that was not delivered, if any; TokenExists: the earlier token',
      ),
    publicApiKey: publicApiKey
      .optional()
      .describe('Cancelled, TokenExists: public key of the API key of that token, if known'),
    tokenSha256: sha256.nullish().describe('Cancelled: SHA-256 of that token'),
    sinksTried: sinksTried.optional().describe('Cancelled: sinks that may have that token'),
    runId: z.uuid().optional().describe('TokenExists: the run that delivered the earlier token'),
    receipt: receiptSchema
      .nullish()
      .describe('TokenExists: of the earlier run, if its history still exists'),
  })
  .meta({
    title: 'FailureDetails',
    description: 'First element of the details of an ApplicationFailure',
  });

export type FailureDetails = z.output<typeof failureDetailsSchema>;

const memoText = shortText.nullable().catch(null);

/** The memo of a run, which lists return. A field is null while it is not set. */
export const runMemoSchema = z.object({
  /**
   * `undelivered` from the first failed round or redelivery until the run ends, also during a later
   * round.
   */
  step: z.literal('undelivered').nullable().catch(null),
  /** The sink of the request; once the token is delivered, the sink that has it. */
  sink: memoText,
  /** Of the token, unless its API key is gone. */
  deliveryId: z.uuid().nullable().catch(null),
  publicApiKey: publicApiKey.catch(null),
  unconfirmedTokens: count.catch(0),
  /** Why an open run is not further: of its last attempt to create, or its last round. */
  failure: z.object({ type: shortText, message: detail }).nullable().catch(null),
  /** When an open run that waits starts its next attempt. */
  nextAttemptAt: timestamp.nullable().catch(null),
});

export type RunMemo = z.output<typeof runMemoSchema>;

/** Reads a memo that anybody may have written. It ignores unknown fields and malformed values. */
export function readMemo(memo: Record<string, unknown> | undefined): RunMemo {
  return runMemoSchema.parse(memo ?? {});
}
