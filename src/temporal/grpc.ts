import { WorkflowNotFoundError, isGrpcServiceError } from '@temporalio/client';

/** Status codes of gRPC. */
export const GRPC = {
  invalidArgument: 3,
  deadlineExceeded: 4,
  notFound: 5,
  permissionDenied: 7,
  unimplemented: 12,
  unavailable: 14,
  unauthenticated: 16,
} as const;

/** The error of Temporal's API: itself, or behind the error that the SDK makes of it. */
export function findGrpcError(error: unknown) {
  if (isGrpcServiceError(error)) return error;
  const cause = error instanceof Error ? error.cause : undefined;
  return isGrpcServiceError(cause) ? cause : null;
}

/** @returns null when the error is none of Temporal's API. */
export function findGrpcCode(error: unknown): number | null {
  return findGrpcError(error)?.code ?? null;
}

/** For `catch`: null in place of a run, a history or a schedule that does not exist, or exists no more. */
export function nullIfNotFound(error: unknown): null {
  if (error instanceof WorkflowNotFoundError || findGrpcCode(error) === GRPC.notFound) return null;
  throw error;
}
