import type { Finding } from '../../contract/schemas';
import { listFirst } from '../../shared/text';

/** What somebody must act on comes last, where the terminal still shows it. */
const ORDER: readonly Finding['state'][] = ['ok', 'unchecked', 'warning', 'error'];

const STATE_WIDTH = 10;

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
      ([message, checks]) => `${state.padEnd(STATE_WIDTH)}${listFirst(checks, ', ')}: ${message}`,
    );
  });
}
