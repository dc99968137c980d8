import type { Finding } from '../contract/schemas';
import type { Pair } from '../contract/workflow-id';

/** The credentials and sinks to check. */
export interface Scope {
  credentials: readonly string[];
  sinks: readonly string[];
  /**
   * Organizations of a request; null in a check of the whole worker, or if the request names none.
   */
  target: Pair | null;
}

export type CheckResult = Omit<Finding, 'check'> & {
  /** True if the same check may succeed soon, with nothing fixed. */
  retryable?: boolean;
};

export interface Check {
  /** Such as `sink drop`. */
  name: string;
  run: (signal: AbortSignal) => Promise<CheckResult>;
  /** Builds the result of a check that takes too long; by default a retryable error. */
  onTimeout?: (message: string) => CheckResult;
}

export const ok = (message: string): CheckResult => ({ state: 'ok', message });
export const unchecked = (message: string): CheckResult => ({ state: 'unchecked', message });
export const warning = (message: string): CheckResult => ({ state: 'warning', message });

export function failedCheck(message: string, retryable = false): CheckResult {
  return { state: 'error', message, retryable };
}
