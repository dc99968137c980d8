import type { Claim } from './claims';
import { MAX_ACCESS_LIST_ENTRIES } from './limits';
import type { PrepareRequest } from './schemas';

const COMPARED = {
  orgId: true,
  sourceOrgId: true,
  sink: true,
  accessListIps: true,
} satisfies Record<Exclude<keyof PrepareRequest, Claim | 'again'>, true>;

/**
 * Compares the organizations, the sink and the set of access list entries of two requests as text.
 * Claims and `again` do not count. An object, and a list that is too long, is compared by its type
 * only, because validation refuses it. The function never throws, which workflow code needs.
 *
 * @returns names of the fields that differ; empty when both request the same.
 */
export function differingFields(left: unknown, right: unknown): string[] {
  return Object.keys(COMPARED).filter(
    (field) => formatField(left, field) !== formatField(right, field),
  );
}

function formatField(request: unknown, field: string): string {
  const value = (Object(request) as Record<string, unknown>)[field];
  if (!Array.isArray(value) || value.length > MAX_ACCESS_LIST_ENTRIES) return formatValue(value);
  return `[${[...new Set(value.map(formatValue))].sort().join()}]`;
}

/** Quotes a string, so that no string equals the name of a type, or a list of other strings. */
function formatValue(value: unknown): string {
  if (['string', 'number', 'boolean'].includes(typeof value)) return JSON.stringify(value);
  return value === null || value === undefined ? 'missing' : typeof value;
}
