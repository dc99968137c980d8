import { shortened } from './printable';

const MAX_LENGTH = 200;

/**
 * What the log lines of a run say about its request.
 *
 * @param input first argument of a workflow or an activity, unchecked: a request, or an object that has one.
 */
export function logAttributesOf(input: unknown): Record<string, string> {
  const { request = input } = (input ?? {}) as { request?: unknown };
  const { orgId, sourceOrgId, requestedBy } = (request ?? {}) as Record<string, unknown>;
  return Object.fromEntries(
    Object.entries({ orgId, sourceOrgId, requestedBy }).flatMap(([name, value]) =>
      typeof value === 'string' ? [[name, shortened(value, MAX_LENGTH)]] : [],
    ),
  );
}
