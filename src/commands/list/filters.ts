import { isOfOrganization } from '../../temporal/list-runs';
import type { ListOptions } from './options';

/**
 * Builds the conditions of the options that Temporal's list can answer by itself. `read-runs.ts`
 * filters by the others.
 */
export function buildConditions({
  undelivered,
  recoverable,
  failure,
  org,
  since,
}: ListOptions): string[] {
  const conditions = [
    undelivered && 'CloseTime IS NULL',
    recoverable && "ExecutionStatus IN ('Failed', 'Terminated', 'TimedOut')",
    failure && "ExecutionStatus = 'Failed'",
    org && isOfOrganization(org),
    since && `(CloseTime IS NULL OR CloseTime >= '${since.toISOString()}')`,
  ];
  return conditions.filter((condition) => typeof condition === 'string');
}
