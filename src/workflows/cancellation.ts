import {
  CancellationScope,
  CancelledFailure,
  workflowInfo,
  type ApplicationFailure,
} from '@temporalio/workflow';
import { MAX_SINKS_TRIED } from '../contract/limits';
import type { SealedToken, Status } from '../contract/schemas';
import { commandLine, reportCommand } from '../shared/command-line';
import { formatCount } from '../shared/text';
import { DO_NOT_RESET, createFailure } from './run-failures';

const NOTHING_CREATED = 'cancelled; no token was created';
const RECOVERY_NOT_BEGUN =
  'cancelled before the delivery began;' +
  ' the token is still recoverable from the closed run that has it';

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
  if (unconfirmedTokens === 0 && !token) return new CancelledFailure(NOTHING_CREATED);
  const namedSinks = sinksTried.slice(0, MAX_SINKS_TRIED);
  const remains = [
    token && describeToken(token, namedSinks),
    unconfirmedTokens > 0 &&
      `Atlas may have created up to ${formatCount(unconfirmedTokens, 'unconfirmed token')}, ` +
        `which the run never received; see when: \`${reportCommand(workflowInfo().workflowId)}\``,
    DO_NOT_RESET,
  ];
  return createFailure('Cancelled', `cancelled; ${remains.filter(Boolean).join('; ')}`, {
    unconfirmedTokens,
    deliveryId: token?.deliveryId ?? null,
    tokenSha256: token?.tokenSha256 ?? null,
    sinksTried: namedSinks,
  });
}

/** Builds the ending of a run that was cancelled before it created or delivered anything. */
export function cancelledAtStart(isRecovery: boolean): CancelledFailure {
  return new CancelledFailure(isRecovery ? RECOVERY_NOT_BEGUN : NOTHING_CREATED);
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
