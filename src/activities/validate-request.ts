import type { Access } from '../access';
import { checkRequest } from '../contract/check-request';
import type {
  Activities,
  ActivityPlan,
  FieldProblem,
  PrepareRequest,
  RedeliverRequest,
  ValidRequest,
  ValidatedRequest,
} from '../contract/names';
import { organizationId, redeliverRequestSchema } from '../contract/schemas';
import type { Sink } from '../sinks/sink';
import { invalidRequest } from './failures';

export interface Plans {
  create: ActivityPlan;
  deliver: ActivityPlan;
}

/**
 * Checks a request before anything costs: its fields, every address, the sink, the credential; every problem in one
 * answer. It also returns how the other activities are to be retried, since workflow code reads no configuration.
 *
 * A retry is safe: it is pure.
 */
export function validateRequestActivity(
  access: Access,
  sinks: ReadonlyMap<string, Sink>,
  plans: Plans,
): Activities['validateRequest'] {
  return function validateRequest(input: PrepareRequest): Promise<ValidatedRequest> {
    const { request, problems } = checkRequest(input);
    const found: FieldProblem[] = [
      ...problems,
      ...accessProblems(input, access),
      ...sourceProblems(request, sinks),
    ];
    const credential = request && access.credentialFor(request.orgId);
    if (!credential || found.length > 0) return Promise.reject(invalidRequest(found));
    return Promise.resolve({ request: { ...request, credential }, ...plans });
  };
}

/**
 * Checks what `redeliverLinkToken` was given. Whether the token opens, delivery itself finds out.
 *
 * A retry is safe: it is pure.
 */
export function validateRedeliveryActivity(access: Access, plans: Plans): Activities['validateRedelivery'] {
  return function validateRedelivery(input: RedeliverRequest): Promise<{ deliver: ActivityPlan }> {
    const parsed = redeliverRequestSchema.safeParse(input);
    const problems = parsed.success
      ? sinkProblems(parsed.data.sealedToken.orgId, parsed.data.sink, access)
      : parsed.error.issues.map(({ path, message }) => ({
          field: path.join('.') || 'request',
          description: message,
        }));
    if (problems.length > 0) return Promise.reject(invalidRequest(problems));
    return Promise.resolve({ deliver: plans.deliver });
  };
}

function sourceProblems(
  request: Omit<ValidRequest, 'credential'> | null,
  sinks: ReadonlyMap<string, Sink>,
): FieldProblem[] {
  if (!request || request.sourceOrgId !== null || !sinks.get(request.sink)?.needsSourceOrgId) return [];
  return [
    {
      field: 'sourceOrgId',
      description: `is missing, and sink ${request.sink} hands the token to that organization: name it`,
    },
  ];
}

/** Looked at even when other fields are wrong, as far as the fields it needs are there. */
function accessProblems(input: PrepareRequest | null | undefined, access: Access): FieldProblem[] {
  const { orgId, sink } = (input ?? {}) as Partial<Record<keyof PrepareRequest, unknown>>;
  const org = organizationId.safeParse(orgId);
  if (org.success && access.credentialFor(org.data) === null) {
    const description = `${org.data} has no credential in the worker's configuration: name one under atlas.organizations`;
    return [{ field: 'orgId', description }];
  }
  const judgesSinks =
    typeof orgId === 'string' && typeof sink === 'string' && access.sinksFor(orgId).length > 0;
  return judgesSinks ? sinkProblems(orgId, sink, access) : [];
}

function sinkProblems(orgId: string, sink: string, access: Access): FieldProblem[] {
  const known = access.sinksFor(orgId);
  if (known.includes(sink)) return [];
  const description = `${JSON.stringify(sink.slice(0, 60))} is not a sink of this organization: write one of ${known.join(', ')}`;
  return [{ field: 'sink', description }];
}
