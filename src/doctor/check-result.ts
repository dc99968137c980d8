import type { Finding } from '../contract/schemas';
import type { Pair } from '../contract/workflow-id';
import { listFirst } from '../shared/text';

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
  /** Present for an error: true if the check cannot succeed until somebody changes something. */
  permanent?: boolean;
};

export interface Check {
  /** Such as `sink drop`. */
  name: string;
  run: (signal: AbortSignal) => Promise<CheckResult>;
  /** Builds the result of a check that takes too long; by default an error that may pass. */
  onTimeout?: (message: string) => CheckResult;
}

/**
 * Joins the messages of several problems. Away from the worker's host, a report is bounded, and
 * names no organization: it has one message, without the ids.
 */
export function joinProblems(
  messages: readonly string[],
  ids: readonly string[],
  onHost: boolean,
): string {
  if (onHost) return listFirst(messages, '; ');
  const [first = '', ...others] = messages;
  const example = ids.reduce((text, id) => text.replaceAll(id, 'an organization'), first);
  return others.length > 0 ? `${example} (and ${others.length} more)` : example;
}

export const ok = (message: string): CheckResult => ({ state: 'ok', message });
export const unchecked = (message: string): CheckResult => ({ state: 'unchecked', message });
export const warning = (message: string): CheckResult => ({ state: 'warning', message });

export function failedCheck(message: string, { permanent } = { permanent: true }): CheckResult {
  return { state: 'error', message, permanent };
}
