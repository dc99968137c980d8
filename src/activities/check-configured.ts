import type { Organizations } from '../config/organizations';
import { checkRequest, type CheckedRequest } from '../contract/check-request';
import { quote } from '../contract/printable';
import { organizationId, type FieldProblem, type ValidRequest } from '../contract/schemas';
import type { Sink } from '../sinks/sink';

/** Checks a request by every rule, those that need the worker's configuration included. */
export function checkConfigured(
  input: unknown,
  organizations: Organizations,
  sinks: ReadonlyMap<string, Sink>,
): { request: ValidRequest | null; problems: FieldProblem[] } {
  const { request, problems: found } = checkRequest(input);
  const problems = [
    ...found,
    ...organizationProblems(input, organizations),
    ...sourceProblems(request, sinks),
  ];
  const credential = request && organizations.credentialFor(request.orgId);
  return { request: credential ? { ...request, credential } : null, problems };
}

function sourceProblems(
  request: CheckedRequest['request'],
  sinks: ReadonlyMap<string, Sink>,
): FieldProblem[] {
  if (!request || request.sourceOrgId !== null || !sinks.get(request.sink)?.needsSourceOrgId) return [];
  return [
    {
      field: 'sourceOrgId',
      description: `is missing, and sink ${request.sink} needs the source organization: name it`,
    },
  ];
}

/** Checked even when other fields are wrong, as far as the fields it needs are there. */
function organizationProblems(input: unknown, organizations: Organizations): FieldProblem[] {
  const { orgId, sink } = (input ?? {}) as Record<string, unknown>;
  const org = organizationId.safeParse(orgId);
  if (!org.success) return [];
  if (organizations.credentialFor(org.data) === null) {
    const description = `${org.data} has no credential in the worker's configuration: name one under atlas.organizations`;
    return [{ field: 'orgId', description }];
  }
  const known = organizations.sinksFor(org.data);
  if (typeof sink !== 'string' || known.includes(sink)) return [];
  const description = `${quote(sink)} is not a sink of this organization: write one of ${known.join(', ')}`;
  return [{ field: 'sink', description }];
}
