import type { Organizations } from '../config/organizations';
import { organizationId, type FieldProblem, type ValidRequest } from '../contract/schemas';
import { quote } from '../shared/text';
import type { Sink } from '../sinks/sink';
import { checkRequest, type CheckedRequest } from './check-request';

/** Checks a request by all rules, including those that need the worker's configuration. */
export function validateAgainstConfig(
  input: unknown,
  organizations: Organizations,
  sinks: ReadonlyMap<string, Sink>,
): { request: ValidRequest | null; problems: FieldProblem[] } {
  const { request, problems: found } = checkRequest(input);
  const problems = [
    ...found,
    ...findOrganizationProblems(input, organizations),
    ...findSourceProblems(request, sinks),
  ];
  const credential = request && organizations.credentialFor(request.orgId);
  return { request: credential ? { ...request, credential } : null, problems };
}

function findSourceProblems(
  request: CheckedRequest['request'],
  sinks: ReadonlyMap<string, Sink>,
): FieldProblem[] {
  if (!request || request.sourceOrgId !== null || !sinks.get(request.sink)?.needsSourceOrgId) return [];
  const description = `is missing, and sink ${request.sink} needs the source organization: name it`;
  return [{ field: 'sourceOrgId', description }];
}

/** Checks the organization and its sink, even if other fields are wrong. */
function findOrganizationProblems(input: unknown, organizations: Organizations): FieldProblem[] {
  const { orgId, sink } = (input ?? {}) as Record<string, unknown>;
  const org = organizationId.safeParse(orgId);
  if (!org.success) return [];
  if (organizations.credentialFor(org.data) === null) {
    const problem = `${org.data} has no credential in the worker's configuration`;
    return [{ field: 'orgId', description: `${problem}: name one under atlas.organizations` }];
  }
  const known = organizations.sinksFor(org.data);
  if (typeof sink !== 'string' || known.includes(sink)) return [];
  const description = `${quote(sink)} is not a sink of this organization: write one of ${known.join(', ')}`;
  return [{ field: 'sink', description }];
}
