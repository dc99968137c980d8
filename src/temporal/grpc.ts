import { WorkflowNotFoundError, isGrpcServiceError, type Client } from '@temporalio/client';
import { NamespaceNotFoundError } from '@temporalio/common';

export const GRPC = {
  invalidArgument: 3,
  deadlineExceeded: 4,
  notFound: 5,
  permissionDenied: 7,
  resourceExhausted: 8,
  failedPrecondition: 9,
  unimplemented: 12,
  unavailable: 14,
  unauthenticated: 16,
} as const;

/** A slow visibility store may take longer than the 30 s that Core allows a worker's calls. */
const READ_TIMEOUT_MS = 60_000;

/** Limits the time of a call that reads. In a worker, this is more than Core allows. */
export function withReadTimeout<T>(client: Client, call: () => Promise<T>): Promise<T> {
  return client.withDeadline(Date.now() + READ_TIMEOUT_MS, call);
}

/** Finds the error of Temporal's API: the error itself, or the cause of an SDK error. */
export function findGrpcError(error: unknown) {
  if (isGrpcServiceError(error)) return error;
  const cause = error instanceof Error ? error.cause : undefined;
  return isGrpcServiceError(cause) ? cause : null;
}

/** What a code says of the access to Temporal. After any other code, there is access. */
const NO_ACCESS: ReadonlyMap<number | null, 'denied' | 'unreachable'> = new Map([
  [GRPC.permissionDenied, 'denied'],
  [GRPC.unauthenticated, 'denied'],
  [GRPC.deadlineExceeded, 'unreachable'],
  [GRPC.unavailable, 'unreachable'],
]);

/** The SDK wraps every other kind of "not found". */
function isNamespaceMissing(error: unknown): error is Error {
  if (error instanceof NamespaceNotFoundError) return true;
  return isGrpcServiceError(error) && findGrpcCode(error) === GRPC.notFound;
}

/** Tells whether a server that was reached denies the call, or does not have the namespace. */
export function isDenial(error: unknown): boolean {
  return isNamespaceMissing(error) || NO_ACCESS.get(findGrpcCode(error)) === 'denied';
}

/**
 * Finds the error of a call that did not reach Temporal, was denied, or named a namespace that does
 * not exist; null for any other error.
 */
export function findReasonOfNoAccess(error: unknown): Error | null {
  if (isNamespaceMissing(error)) return error;
  const cause = findGrpcError(error);
  return cause && NO_ACCESS.has(cause.code) ? cause : null;
}

/** @returns null when the error is not one of Temporal's API. */
export function findGrpcCode(error: unknown): number | null {
  return findGrpcError(error)?.code ?? null;
}

/**
 * Converts a timestamp or a duration of Temporal's API to milliseconds; 0 if it is missing.
 *
 * @param time its `seconds` may be a Long object, for 64 bits.
 */
export function toMs(
  time: { seconds?: unknown; nanos?: number | null } | null | undefined,
): number {
  return Number(time?.seconds ?? 0) * 1000 + Math.floor((time?.nanos ?? 0) / 1e6);
}

/** A handler for `catch` that returns null for a run or a history that does not exist. */
export function nullIfNotFound(error: unknown): null {
  if (error instanceof WorkflowNotFoundError || findGrpcCode(error) === GRPC.notFound) return null;
  throw error;
}
