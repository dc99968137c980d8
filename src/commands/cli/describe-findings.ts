import type { Finding } from '../../contract/schemas';
import { formatCount } from '../../shared/text';

const MAX_CHECKS_NAMED = 10;

/**
 * Describes findings, one line for all with the same state and message: sixty credentials fail
 * alike without Atlas.
 */
export function describeFindings(findings: readonly Finding[]): string[] {
  const groups = new Map<string, { state: string; message: string; checks: string[] }>();
  for (const { check, state, message } of findings) {
    const key = JSON.stringify([state, message]);
    const group = groups.get(key) ?? { state, message, checks: [] };
    group.checks.push(check);
    groups.set(key, group);
  }
  return [...groups.values()].map(({ state, message, checks }) => {
    const names = checks.slice(0, MAX_CHECKS_NAMED).join(', ');
    const unnamed = checks.length - MAX_CHECKS_NAMED;
    const suffix = unnamed > 0 ? ` and ${formatCount(unnamed, 'more check')}` : '';
    return `${state.padEnd(10)}${names}${suffix}: ${message}`;
  });
}
