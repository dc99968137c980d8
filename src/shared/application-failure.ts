import { ApplicationFailure, type ApplicationFailureOptions } from '@temporalio/common';

/**
 * Builds a failure without a stack, which each history would store: the message says everything.
 */
export function applicationFailure(options: ApplicationFailureOptions): ApplicationFailure {
  const failure = ApplicationFailure.create(options);
  failure.stack = '';
  return failure;
}

export function terminalFailure(
  type: string,
  message: string,
  ...details: unknown[]
): ApplicationFailure {
  return applicationFailure({ type, message, nonRetryable: true, details });
}
