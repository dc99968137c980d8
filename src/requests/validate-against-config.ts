import type { Services } from '../config/services';
import { organizationId, type FieldProblem } from '../contract/schemas';
import { toObject } from '../shared/object';
import { quote } from '../shared/text';
import { describeMissingPair } from '../sinks/sink';
import { WORKER_IDENTITY } from '../version';
import { validateFields, type ValidFields } from './validate-fields';

/** The part of the services that decides which requests may run. */
export type Permissions = Pick<Services, 'organizations' | 'sinks'>;

/** Checks a request by all rules, including those that need the worker's configuration. */
export function validateAgainstConfig(input: unknown, permissions: Permissions) {
  const { organizations, sinks } = permissions;
  const { request, problems } = validateFields(input);
  problems.push(...findOrganizationProblems(input, permissions));
  problems.push(...findSourceProblems(request, sinks));
  const credential = request && organizations.credentialFor(request.orgId);
  if (!credential) return { request: null, problems };
  const warnings = [...request.warnings];
  if (request.accessListIps.length > 0 && sinks.get(request.sink)?.skipsAccessList) {
    warnings.push(
      `accessListIps is not needed: sink ${request.sink} delivers to Cloud Manager, so write []`,
    );
  }
  return { request: { ...request, credential, warnings }, problems };
}

function findSourceProblems(request: ValidFields | null, sinks: Services['sinks']): FieldProblem[] {
  const sink = request && sinks.get(request.sink);
  if (!sink) return [];
  const { sink: name } = request;
  if (sink.needsSourceOrgId && request.sourceOrgId === null) {
    const description = `is missing, and sink ${name} needs the source organization: name it`;
    return [{ field: 'sourceOrgId', description }];
  }
  const description = describeMissingPair(name, sink, request);
  return description === null ? [] : [{ field: 'sourceOrgId', description }];
}

/** Checks the organization and the sink, even if other fields are wrong. */
function findOrganizationProblems(
  input: unknown,
  { organizations, sinks }: Permissions,
): FieldProblem[] {
  const { orgId, sink } = toObject(input);
  const org = organizationId.safeParse(orgId).data;
  const isServed = org !== undefined && organizations.credentialFor(org) !== null;
  const problems: FieldProblem[] = [];
  if (org !== undefined && !isServed) {
    const problem = `${org} has no credential in the configuration of worker ${WORKER_IDENTITY}`;
    const description = `${problem}: name one under atlas.organizations, and restart the workers`;
    problems.push({ field: 'orgId', description });
  }
  // Only a caller that names a served organization learns which sinks it may use.
  const sinkNames = isServed ? organizations.sinksFor(org) : [...sinks.keys()];
  if (typeof sink !== 'string' || sinkNames.includes(sink)) return problems;
  const description = isServed
    ? `is not a sink of this organization on worker ${WORKER_IDENTITY}:` +
      ` write one of ${sinkNames.join(', ')}`
    : `is not a configured sink of worker ${WORKER_IDENTITY}: name one`;
  problems.push({ field: 'sink', description: `${quote(sink)} ${description}` });
  return problems;
}
