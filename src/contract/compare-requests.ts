/**
 * Compares two requests as text: the organizations, the sink and the set of access list entries. Who requests it, and why,
 * does not count. A value that is not a string is compared by its type only, because validation refuses it. So the
 * function takes any input and never throws, which workflow code needs.
 *
 * @returns names of the fields that differ; empty when both request the same.
 */
export function differingFields(left: unknown, right: unknown): string[] {
  const other = comparable(right);
  return Object.entries(comparable(left)).flatMap(([field, text]) => (text === other[field] ? [] : [field]));
}

function comparable(request: unknown): Record<string, string> {
  const fields = (typeof request === 'object' && request !== null ? request : {}) as Record<string, unknown>;
  return {
    orgId: textOf(fields['orgId']),
    sourceOrgId: textOf(fields['sourceOrgId']),
    sink: textOf(fields['sink']),
    accessListIps: listOf(fields['accessListIps']),
  };
}

function listOf(entries: unknown): string {
  if (!Array.isArray(entries)) return textOf(entries);
  return `[${[...new Set(entries.map(textOf))].sort().join()}]`;
}

/** Quoted, so that no text equals a kind, or a list of others. */
function textOf(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value);
  return value === null || value === undefined ? 'missing' : typeof value;
}
