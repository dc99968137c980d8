/**
 * A query of Temporal's list, for runs of which every field has its value and every condition is true.
 *
 * @param fields such as `WorkflowId`, with values as they are.
 * @param conditions such as `CloseTime IS NULL`.
 */
export function visibilityQuery(
  fields: Readonly<Record<string, string>>,
  ...conditions: readonly string[]
): string {
  const equal = Object.entries(fields).map(([field, value]) => `${field} = ${JSON.stringify(value)}`);
  return [...equal, ...conditions].join(' AND ');
}
