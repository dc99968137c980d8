import { CancelledFailure, workflowInfo, type ApplicationFailure } from '@temporalio/workflow';
import { commandLine, reportCommand } from '../contract/command-line';
import type { SealedToken } from '../contract/schemas';
import { failureOf } from './failures';
import type { Progress } from './progress';

/**
 * The ending of a cancelled run: CANCELLED when nothing can be left. Otherwise FAILED with type `Cancelled`, since
 * Temporal's TypeScript SDK cannot put details on CANCELLED, and someone must check what is left.
 *
 * @param token that exists and is not confirmed as delivered.
 * @param sinksTried sinks that may have it.
 */
export function cancelled(
  progress: Progress,
  token: SealedToken | null,
  sinksTried: readonly string[],
): CancelledFailure | ApplicationFailure {
  const { unconfirmedTokens } = progress.status;
  if (unconfirmedTokens === 0 && !token) return new CancelledFailure('cancelled; no token was created');
  const left = [
    token && tokenLeft(token, sinksTried),
    unconfirmedTokens > 0 &&
      `Atlas may have created ${unconfirmedTokens} token(s) that the run never received; when, to compare with the API keys in Atlas: \`${reportCommand(workflowInfo().workflowId)}\``,
  ];
  return failureOf('Cancelled', `cancelled; ${left.filter(Boolean).join('; ')}`, {
    unconfirmedTokens,
    deliveryId: token?.deliveryId ?? null,
    tokenSha256: token?.tokenSha256 ?? null,
    sinksTried: [...sinksTried],
  });
}

function tokenLeft({ deliveryId }: SealedToken, sinksTried: readonly string[]): string {
  const { workflowId, runId } = workflowInfo();
  const tried = sinksTried.length > 0 ? ` (it may be in ${sinksTried.join(', ')})` : '';
  return `token ${deliveryId} is not confirmed as delivered${tried}: remove its key in Atlas, or deliver it with \`${commandLine('redeliver', workflowId, '--run-id', runId)}\``;
}
