import { WorkflowNotFoundError, isGrpcServiceError } from '@temporalio/client';

export const GRPC = {
  invalidArgument: 3,
  deadlineExceeded: 4,
  notFound: 5,
  permissionDenied: 7,
  unimplemented: 12,
  unavailable: 14,
  unauthenticated: 16,
} as const;

/** Finds the error of Temporal's API: the error itself, or the cause of an SDK error. */
export function findGrpcError(error: unknown) {
  if (isGrpcServiceError(error)) return error;
  const cause = error instanceof Error ? error.cause : undefined;
  return isGrpcServiceError(cause) ? cause : null;
}

/** @returns null when the error is not one of Temporal's API. */
export function findGrpcCode(error: unknown): number | null {
  return findGrpcError(error)?.code ?? null;
}

/** A handler for `catch` that returns null for a run or a history that does not exist. */
export function nullIfNotFound(error: unknown): null {
  if (error instanceof WorkflowNotFoundError || findGrpcCode(error) === GRPC.notFound) return null;
  throw error;
}
