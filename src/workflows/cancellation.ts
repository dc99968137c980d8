import { CancellationScope, CancelledFailure, workflowInfo, type ApplicationFailure } from '@temporalio/workflow';
import type { SealedToken, Status } from '../contract/schemas';
import { commandLine, reportCommand } from '../shared/command-line';
import { DO_NOT_RESET, createFailure } from './run-failures';

export function isCancelled(): boolean {
  return CancellationScope.current().consideredCancelled;
}

/**
 * Makes the ending of a cancelled run: CANCELLED when nothing can be left. Otherwise FAILED with type `Cancelled`,
 * since Temporal's TypeScript SDK cannot put details on CANCELLED, and someone must check what is left.
 *
 * @param token that exists and is not confirmed as delivered.
 */
export function cancellationFailure(
  { unconfirmedTokens }: Pick<Status, 'unconfirmedTokens'>,
  token: SealedToken | null,
  sinksTried: readonly string[],
): CancelledFailure | ApplicationFailure {
  if (unconfirmedTokens === 0 && !token) return new CancelledFailure('cancelled; no token was created');
  const remains = [
    token && describeToken(token, sinksTried),
    unconfirmedTokens > 0 &&
      `Atlas may have created up to ${unconfirmedTokens} unconfirmed tokens, which the run never received; ` +
        `see when: \`${reportCommand(workflowInfo().workflowId)}\``,
    DO_NOT_RESET,
  ];
  return createFailure('Cancelled', `cancelled; ${remains.filter(Boolean).join('; ')}`, {
    unconfirmedTokens,
    deliveryId: token?.deliveryId ?? null,
    tokenSha256: token?.tokenSha256 ?? null,
    sinksTried: [...sinksTried],
  });
}

function describeToken({ deliveryId }: SealedToken, sinksTried: readonly string[]): string {
  const { workflowId, runId } = workflowInfo();
  const tried = sinksTried.length > 0 ? ` (it may be in ${sinksTried.join(', ')})` : '';
  const command = commandLine('recover', workflowId, '--run-id', runId);
  return (
    `token ${deliveryId} is not confirmed as delivered${tried}: ` +
    `delete its API key in Atlas, or deliver it with \`${command}\``
  );
}
