/**
 * Compares two requests as text: the organizations, the sink and the set of access list entries. Who requests it, and why,
 * does not count. A value that is not a string is compared by its type only, because validation refuses it. So the
 * function takes any input and never throws, which workflow code needs.
 *
 * @returns names of the fields that differ; empty when both request the same.
 */
export function differingFields(left: unknown, right: unknown): string[] {
  const other = toComparable(right);
  return Object.entries(toComparable(left)).flatMap(([field, text]) =>
    text === other[field] ? [] : [field],
  );
}

function toComparable(request: unknown): Record<string, string> {
  const fields = (typeof request === 'object' && request !== null ? request : {}) as Record<string, unknown>;
  return {
    orgId: formatValue(fields['orgId']),
    sourceOrgId: formatValue(fields['sourceOrgId']),
    sink: formatValue(fields['sink']),
    accessListIps: formatList(fields['accessListIps']),
  };
}

function formatList(entries: unknown): string {
  if (!Array.isArray(entries)) return formatValue(entries);
  return `[${[...new Set(entries.map(formatValue))].sort().join()}]`;
}

/** Quoted, so that no text equals a kind, or a list of others. */
function formatValue(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value);
  return value === null || value === undefined ? 'missing' : typeof value;
}
