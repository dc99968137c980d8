import type { Finding } from '../../contract/schemas';
import { formatCount, listFirst } from '../../shared/text';

/** What somebody must act on comes last, where the terminal still shows it. */
const ORDER: readonly Finding['state'][] = ['ok', 'unchecked', 'warning', 'error'];

const STATE_WIDTH = 10;

/** Bounds the names of checks on a line that nobody must act on. */
const MAX_CHECKS_NAMED = 3;

/**
 * Describes findings, one line for all with the same state and message: sixty credentials fail
 * alike without Atlas.
 */
export function describeFindings(findings: readonly Finding[]): string[] {
  return ORDER.flatMap((state) => {
    const checksByMessage = new Map<string, string[]>();
    for (const { check, message } of findings.filter((finding) => finding.state === state)) {
      checksByMessage.set(message, [...(checksByMessage.get(message) ?? []), check]);
    }
    return [...checksByMessage].map(
      ([message, checks]) => `${state.padEnd(STATE_WIDTH)}${listChecks(checks, state)}: ${message}`,
    );
  });
}

function listChecks(checks: readonly string[], state: Finding['state']): string {
  const isProblem = state === 'warning' || state === 'error';
  if (isProblem) return listFirst(checks, ', ');
  const unnamed = checks.length - MAX_CHECKS_NAMED;
  if (unnamed <= 0) return checks.join(', ');
  const named = checks.slice(0, MAX_CHECKS_NAMED);
  return `${named.join(', ')} and ${formatCount(unnamed, 'more check')}`;
}
