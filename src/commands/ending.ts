import { WorkflowFailedError, type WorkflowHandle } from '@temporalio/client';
import { ApplicationFailure, CancelledFailure, TerminatedFailure } from '@temporalio/common';
import type { FailureDetails, Receipt } from '../contract/names';
import { CommandError, EXIT_CODES } from './command-error';

/**
 * Waits for a run to end.
 *
 * @throws CommandError with the run's own type and reason, exit code 1.
 */
export async function receiptOf(handle: WorkflowHandle): Promise<Receipt> {
  try {
    return (await handle.result()) as Receipt;
  } catch (error) {
    if (error instanceof WorkflowFailedError) throw describeEnding(error.cause);
    throw error;
  }
}

function describeEnding(cause: Error | undefined): CommandError {
  if (cause instanceof ApplicationFailure) {
    const details = cause.details?.[0] as FailureDetails | undefined;
    const unconfirmed = details?.unconfirmedTokens
      ? `\nAtlas may have created ${details.unconfirmedTokens} token(s) unseen: see docs/runbook.md`
      : '';
    const type = cause.type ?? 'unknown';
    return new CommandError(`${type}: ${cause.message}${unconfirmed}`, EXIT_CODES.failed, { type, details });
  }
  if (cause instanceof CancelledFailure) return new CommandError('the run was cancelled');
  if (cause instanceof TerminatedFailure) return new CommandError('the run was terminated');
  return new CommandError(`the run failed: ${cause?.message ?? 'unknown'}`);
}

/** The receipt in lines for a person. */
export function describeReceipt(receipt: Receipt): string {
  const rows = [
    ['organization', receipt.orgId],
    ['source', receipt.sourceOrgId ?? '-'],
    ['token is in', receipt.location],
    ['delivery id', receipt.deliveryId],
    ['token sha256', receipt.tokenSha256],
    ['created', receipt.createdAt],
    ['delivered', receipt.deliveredAt],
    ['unconfirmed', `${receipt.unconfirmedTokens} token(s)`],
    ...receipt.warnings.map((warning) => ['warning', warning]),
  ];
  return rows.map(([name = '', value = '']) => `  ${name.padEnd(14)}${value}`).join('\n');
}
