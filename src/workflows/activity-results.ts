import { defaultFailureConverter } from '@temporalio/common';
import { ActivityFailure, ApplicationFailure, CancelledFailure, TimeoutFailure } from '@temporalio/workflow';
import {
  MAX_DETAIL_LENGTH,
  MAX_FIELDS,
  MAX_JWE_LENGTH,
  MAX_MESSAGE_LENGTH,
  MAX_TIME_LENGTH,
  SHA256,
  UUID,
} from '../contract/limits';
import type { CheckReport, FailureDetails, Receipt, SealedToken, ValidRequest } from '../contract/schemas';
import type { AttemptDetails, LinkState } from '../shared/activities';
import { fitsAsJson, toObject } from '../shared/object';
import { payloadConverter } from '../shared/payload-converter';
import { cut } from '../shared/text';

/*
 * Results and failures of activities enter the workflows here only. Anyone who may start work in the
 * namespace can complete or fail an activity, with anything: what passes is bounded and has the
 * expected shape, so the code behind trusts its types. Temporal refuses a workflow task of more than 2 MiB
 * for ever.
 */

const MAX_REQUESTED_WAIT_MS = 24 * 3_600_000;

type AtlasDetails = Pick<FailureDetails, 'status' | 'errorCode' | 'reason' | 'detail' | 'fields'>;

export interface ParsedFailure {
  /** `lost`: the attempt ended without a result, since it timed out or its worker was lost. */
  how: 'failed' | 'cancelled' | 'lost' | 'scheduleToClose';
  /** Type of an ApplicationFailure; null for one without, and for any other failure. */
  type: string | null;
  message: string;
  details: AtlasDetails;
  /** False if another activity would fail too. */
  runMayRetry: boolean;
  retryAfterMs: number | undefined;
  /** True unless the attempt says otherwise. */
  tokenMayExist: boolean;
  /** True unless the attempt says otherwise. */
  sinkTried: boolean;
}

/** The part of a sealed token that delivery needs. */
export type RunToken = Pick<SealedToken, 'jwe' | 'deliveryId' | 'tokenSha256' | 'createdAt' | 'unconfirmedTokens'>;

/** Waits for an activity. A result that does not pass `parse` is the failure that is given for it. */
export async function settle<Result>(
  result: Promise<unknown>,
  parse: (result: unknown) => Result | null,
  unreadable: Pick<ParsedFailure, 'type' | 'message'>,
): Promise<{ result: Result } | { failure: ParsedFailure }> {
  try {
    const parsed = parse(await result);
    return parsed === null ? { failure: { ...NOTHING_KNOWN, ...unreadable } } : { result: parsed };
  } catch (error) {
    return { failure: parseFailure(error) };
  }
}

const NOTHING_KNOWN = {
  how: 'failed',
  details: {},
  runMayRetry: false,
  retryAfterMs: undefined,
  tokenMayExist: true,
  sinkTried: true,
} as const;

export function parseFailure(error: unknown): ParsedFailure {
  const cause = getCause(error);
  const failure = findApplicationFailure(error);
  const parsed = failure
    ? parseApplicationFailure(failure)
    : { ...NOTHING_KNOWN, type: null, runMayRetry: true, message: describeOther(cause) };
  if (cause instanceof CancelledFailure) return { ...parsed, how: 'cancelled' };
  if (!(cause instanceof TimeoutFailure)) return parsed;
  const how = cause.timeoutType === 'SCHEDULE_TO_CLOSE' ? 'scheduleToClose' : 'lost';
  // Temporal has observed the wait that the attempt before this one was asked for.
  return { ...parsed, how, runMayRetry: true, retryAfterMs: undefined, tokenMayExist: true, sinkTried: true };
}

function getCause(error: unknown): unknown {
  return error instanceof ActivityFailure ? error.cause : error;
}

function describeOther(cause: unknown): string {
  if (cause instanceof TimeoutFailure) return 'an attempt ended without a result (a timeout, or a lost worker)';
  return cut(cause instanceof Error ? cause.message : 'unknown', MAX_MESSAGE_LENGTH);
}

/** Finds what an activity failed with itself; of one that timed out, what its last failed attempt did. */
export function findApplicationFailure(error: unknown): ApplicationFailure | null {
  let cause = getCause(error);
  // Temporal reports the last failed attempt as the cause of the timeout, which the SDK keeps in `failure`.
  if (cause instanceof TimeoutFailure && cause.failure?.cause) {
    cause = defaultFailureConverter.failureToError(cause.failure.cause, payloadConverter);
  }
  return cause instanceof ApplicationFailure ? cause : null;
}

function parseApplicationFailure(failure: ApplicationFailure): ParsedFailure {
  const details = toObject(failure.details?.[0]);
  const given: Partial<Record<keyof AttemptDetails, unknown>> = details;
  const { retryAfterMs, tokenMayExist, runMayRetry, sinkTried } = given;
  return {
    how: 'failed',
    type: failure.type ? cut(failure.type, MAX_DETAIL_LENGTH) : null,
    message: cut(failure.message, MAX_MESSAGE_LENGTH),
    details: parseDetails(details),
    // A failure of the SDK, or of another client, says only whether Temporal may retry.
    runMayRetry: typeof runMayRetry === 'boolean' ? runMayRetry : failure.nonRetryable !== true,
    retryAfterMs: isCount(retryAfterMs) ? Math.min(retryAfterMs, MAX_REQUESTED_WAIT_MS) : undefined,
    tokenMayExist: tokenMayExist !== false,
    sinkTried: sinkTried !== false,
  };
}

function parseDetails({ status, errorCode, reason, detail, fields }: Record<string, unknown>): AtlasDetails {
  return {
    ...(isCount(status) && { status }),
    ...(typeof errorCode === 'string' && { errorCode: asText(errorCode) }),
    ...(typeof reason === 'string' && { reason: asText(reason) }),
    ...(typeof detail === 'string' && { detail: asText(detail) }),
    ...(Array.isArray(fields) && { fields: fields.slice(0, MAX_FIELDS).map(parseFieldProblem) }),
  };
}

function parseFieldProblem(input: unknown) {
  const { field, description } = toObject(input);
  return { field: asText(field), description: asText(description) };
}

/** @param countBefore count of unconfirmed tokens: with the token of a lost attempt a worker returns less. */
export function parseToken(input: unknown, request: ValidRequest, countBefore: number): RunToken | null {
  const { jwe, orgId, sourceOrgId, deliveryId, tokenSha256, createdAt, unconfirmedTokens } = toObject(input);
  const isWhole =
    isText(jwe, MAX_JWE_LENGTH) &&
    orgId === request.orgId &&
    sourceOrgId === request.sourceOrgId &&
    isMatch(deliveryId, UUID) &&
    isMatch(tokenSha256, SHA256) &&
    isTime(createdAt) &&
    isCount(unconfirmedTokens) &&
    unconfirmedTokens <= countBefore;
  return isWhole ? { jwe, deliveryId, tokenSha256, createdAt, unconfirmedTokens } : null;
}

/**
 * Parses a receipt. Fields that this release does not know stay: releases mix in a rollout.
 *
 * @param deliveryId null in a recovery, whose readable copy of the id anyone may have written.
 */
export function parseReceipt(
  input: unknown,
  { orgId, sourceOrgId }: ValidRequest,
  sink: string,
  deliveryId: string | null,
): Omit<Receipt, 'alsoTried'> | null {
  const receipt = toObject(input);
  const isWhole =
    receipt['orgId'] === orgId &&
    receipt['sourceOrgId'] === sourceOrgId &&
    receipt['sink'] === sink &&
    isMatch(receipt['deliveryId'], UUID) &&
    (deliveryId === null || receipt['deliveryId'] === deliveryId) &&
    isText(receipt['location'], MAX_MESSAGE_LENGTH) &&
    isTime(receipt['createdAt']) &&
    fitsAsJson(receipt);
  return isWhole ? (receipt as unknown as Receipt) : null;
}

export function parseLinkState(input: unknown): LinkState | null {
  const { linked, recentToken, lastTokenAt, tokenRunId } = toObject(input);
  if (typeof linked !== 'boolean' || typeof recentToken !== 'boolean') return null;
  return {
    linked,
    recentToken,
    lastTokenAt: isTime(lastTokenAt) ? lastTokenAt : null,
    tokenRunId: isMatch(tokenRunId, UUID) ? tokenRunId : null,
  };
}

export function parseReport(input: unknown): CheckReport | null {
  const report = toObject(input);
  const isWhole = Array.isArray(report['findings']) && Array.isArray(report['fields']) && fitsAsJson(report);
  return isWhole ? (report as unknown as CheckReport) : null;
}

function asText(value: unknown): string {
  return typeof value === 'string' ? cut(value, MAX_DETAIL_LENGTH) : '';
}

function isText(value: unknown, maxLength: number): value is string {
  return typeof value === 'string' && value.length <= maxLength;
}

function isMatch(value: unknown, pattern: RegExp): value is string {
  return typeof value === 'string' && pattern.test(value);
}

function isCount(value: unknown): value is number {
  return Number.isInteger(value) && Number(value) >= 0;
}

function isTime(value: unknown): value is string {
  return isText(value, MAX_TIME_LENGTH) && !Number.isNaN(Date.parse(value));
}
