import {
  ApplicationFailure,
  CancelledFailure,
  TerminatedFailure,
  TimeoutFailure,
} from '@temporalio/common';
import {
  DELIVERY_FAILURE_TYPES,
  FAILURE_TYPES,
  type DeliveryFailureType,
  type FailureType,
  type RefusalType,
} from '../../contract/failure-types';
import { failureDetailsSchema, type Receipt, type RunMemo } from '../../contract/schemas';
import { workflowIdFor } from '../../contract/workflow-id';
import {
  commandLine,
  describeRemedy,
  describeUnconfirmedTokens,
  findKeysCommand,
} from '../../shared/command-line';
import { formatCount } from '../../shared/text';
import type { RunRef } from '../../temporal/read-history';
import { CommandError, EXIT_CODES, type ExitCode } from '../cli/command-error';
import { describeRows, type TableRow } from '../cli/output';

/**
 * Exit codes of the types that a person can act on. The refusals are those of `redeliver`: no
 * command sends `awaitDelivery`.
 */
const EXIT_CODE_BY_TYPE: ReadonlyMap<string | null | undefined, ExitCode> = new Map<
  FailureType | DeliveryFailureType | RefusalType,
  ExitCode
>([
  ...FAILURE_TYPES.map((type) => [type, EXIT_CODES.failed] as const),
  ...DELIVERY_FAILURE_TYPES.map((type) => [type, EXIT_CODES.undelivered] as const),
  ['Cancelled', EXIT_CODES.cancelled],
  ['TokenExists', EXIT_CODES.refused],
  ['NothingToDeliver', EXIT_CODES.refused],
  ['RedeliveryInProgress', EXIT_CODES.refused],
]);

/**
 * @param failure of a run, or of one of its Updates.
 * @returns null when a person cannot act on its type.
 */
export function toFailureError(failure: unknown, workflowId: string): CommandError | null {
  if (!(failure instanceof ApplicationFailure)) return null;
  const { type, message } = failure;
  const exitCode = EXIT_CODE_BY_TYPE.get(type);
  if (exitCode === undefined) return null;
  const details = failureDetailsSchema.safeParse(failure.details?.[0]).data;
  const lines = [`${type}: ${message}`];
  // The message of a run that ended says what it left.
  if (exitCode === EXIT_CODES.undelivered) {
    lines.push(...describeUndelivered(workflowId));
    lines.push(...describeUnconfirmed(details?.unconfirmedTokens ?? 0, workflowId));
  }
  const facts = { workflowId, type, details };
  return new CommandError(
    lines,
    exitCode,
    type === 'TokenExists' ? { ...facts, state: 'delivered' } : facts,
  );
}

export function describeUnconfirmed(tokens: number, workflowId: string): string[] {
  if (tokens === 0) return [];
  return [`${describeUnconfirmedTokens(tokens)}:`, `  ${findKeysCommand(workflowId)}`];
}

export function describeUndelivered(workflowId: string, nextAttemptAt?: string | null): string[] {
  const next = nextAttemptAt ? `; next attempt at ${nextAttemptAt}` : '';
  const redeliver = commandLine('redeliver', workflowId);
  return [
    `the token is kept, encrypted, and the run goes on${next}`,
    `once the cause is fixed: ${redeliver}   (--sink <name> for another sink)`,
  ];
}

export function describeReceipt(receipt: Receipt): string[] {
  const { orgId, sourceOrgId, unconfirmedTokens } = receipt;
  const rows = describeRows([
    ['organization', orgId],
    ['source', sourceOrgId ?? '-'],
    ['token is in', receipt.location],
    ...receipt.alsoTried.map((sink): TableRow => ['may also be in', `sink ${sink}`]),
    ['delivery id', receipt.deliveryId],
    ['API key', receipt.publicApiKey ?? 'not known'],
    ['token sha256', receipt.tokenSha256],
    ['created', receipt.createdAt],
    ['delivered', receipt.deliveredAt],
    ['unconfirmed', formatCount(unconfirmedTokens, 'token')],
    ...receipt.warnings.map((warning): TableRow => ['warning', warning]),
  ]);
  return [...rows, ...describeUnconfirmed(unconfirmedTokens, workflowIdFor(receipt))];
}

/** What the memo of a run says that Temporal ended: it could not put that into its failure. */
type EndingMemo = Pick<RunMemo, 'unconfirmedTokens' | 'deliveryId' | 'publicApiKey' | 'sink'>;

export function toEndingError(
  cause: Error | undefined,
  { workflowId }: RunRef,
  { unconfirmedTokens, deliveryId, publicApiKey, sink }: EndingMemo,
): CommandError {
  const failureError = toFailureError(cause, workflowId);
  if (failureError) return failureError;
  const facts = { workflowId };
  if (cause instanceof CancelledFailure) {
    const message = 'the run was cancelled, and no API key of it is left';
    return new CommandError(message, EXIT_CODES.cancelled, facts);
  }
  const reason = cause?.message ?? 'unknown';
  const isTimeout = cause instanceof TimeoutFailure;
  if (!isTimeout && !(cause instanceof TerminatedFailure)) {
    return new CommandError(`the run failed: ${reason}`, EXIT_CODES.failed, facts);
  }
  // A run without a token may have ended during a request, whose token it did not count.
  const ofRequest = deliveryId === null ? 1 : 0;
  const sinksTried = sink === null ? null : [sink];
  const lines = [
    `the run ${isTimeout ? 'timed out' : 'was terminated'}: ${reason}`,
    `if it held a token: ${describeRemedy(workflowId, publicApiKey, sinksTried)}`,
    ...describeUnconfirmed(unconfirmedTokens + ofRequest, workflowId),
  ];
  return new CommandError(lines, EXIT_CODES.failed, facts);
}
