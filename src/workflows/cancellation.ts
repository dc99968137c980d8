import {
  CancellationScope,
  CancelledFailure,
  workflowInfo,
  type ApplicationFailure,
} from '@temporalio/workflow';
import type { SealedToken, Status } from '../contract/schemas';
import { commandLine, reportCommand } from '../shared/command-line';
import { formatCount } from '../shared/text';
import { DO_NOT_RESET, createFailure } from './run-failures';

export function isCancelled(): boolean {
  return CancellationScope.current().consideredCancelled;
}

/**
 * Builds the ending of a cancelled run: CANCELLED when nothing can be left. Otherwise FAILED with
 * type `Cancelled`, since Temporal's TypeScript SDK cannot put details on CANCELLED, and someone
 * must check what is left.
 *
 * @param token that exists and may not have arrived.
 */
export function cancellationFailure(
  { unconfirmedTokens }: Pick<Status, 'unconfirmedTokens'>,
  token: SealedToken | null,
  sinksTried: readonly string[],
): CancelledFailure | ApplicationFailure {
  if (unconfirmedTokens === 0 && !token) {
    return new CancelledFailure('cancelled; no token was created');
  }
  const remains = [
    token && describeToken(token, sinksTried),
    unconfirmedTokens > 0 &&
      `Atlas may have created up to ${formatCount(unconfirmedTokens, 'unconfirmed token')}, ` +
        `which the run never received; see when: \`${reportCommand(workflowInfo().workflowId)}\``,
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
  const tried = sinksTried.length > 0 ? ` (sinks tried: ${sinksTried.join(', ')})` : '';
  const command = commandLine('recover', workflowId, '--run-id', runId);
  return (
    `token ${deliveryId} may not have arrived${tried}: ` +
    `delete its API key in Atlas, or deliver it with \`${command}\``
  );
}
