import type { ApplicationFailure } from '@temporalio/common';
import { applicationFailure } from '../shared/application-failure';
import { findGrpcCode } from '../temporal/grpc';
import { findListRefusal } from '../temporal/list-runs';

/**
 * Builds the failure for runs of a workflow id that Temporal did not list or read.
 *
 * @param nextRetryDelay in milliseconds; without it, the retry policy sets one.
 */
export function temporalUnavailable(
  error: unknown,
  workflowId: string,
  nextRetryDelay?: number,
): ApplicationFailure {
  const code = findGrpcCode(error);
  const refusal = findListRefusal(error);
  const reason = code === null ? (error as Error).name : `gRPC status ${code}`;
  const remedy =
    refusal ??
    "check that Temporal's visibility store works" +
      ' and that the limit frontend.namespaceRPS.visibility suffices';
  return applicationFailure({
    type: 'TemporalUnavailable',
    message:
      `Temporal did not list and read the runs of ${workflowId} (${reason}):` +
      ` ${remedy}, then start again`,
    nonRetryable: refusal !== null,
    ...(nextRetryDelay !== undefined && { nextRetryDelay }),
  });
}
