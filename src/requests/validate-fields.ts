import { forEachClaim } from '../contract/claims';
import { MAX_ACCESS_LIST_ENTRIES } from '../contract/limits';
import {
  organizationId,
  prepareRequestSchema,
  type FieldProblem,
  type PrepareRequest,
  type ValidRequest,
} from '../contract/schemas';
import { toObject } from '../shared/object';
import { UNREADABLE } from '../shared/payload-converter';
import { validateAccessList } from './access-list';
import { toFieldProblem } from './field-problems';

/** A request without a problem, before the configuration names its credential. */
export type ValidFields = Omit<ValidRequest, 'credential'>;

/** Checks a request by every rule that needs no configuration. */
export function validateFields(input: unknown): {
  request: ValidFields | null;
  problems: FieldProblem[];
} {
  if (input === UNREADABLE) {
    const description = `is ${String(UNREADABLE)}: send plain JSON, without an encryption codec`;
    return { request: null, problems: [{ field: 'request', description }] };
  }
  const parsed = prepareRequestSchema.safeParse(input);
  const list = validateAccessList(getAccessList(input));
  const fieldProblems = parsed.error?.issues.map(toFieldProblem) ?? [];
  const problems = [...fieldProblems, ...findSameOrganization(input), ...list.problems];
  if (!parsed.success || problems.length > 0) return { request: null, problems };
  const fields: PrepareRequest = parsed.data;
  return {
    request: {
      orgId: fields.orgId,
      sourceOrgId: fields.sourceOrgId ?? null,
      accessListIps: list.entries,
      sink: fields.sink,
      warnings: list.warnings,
      ...forEachClaim((claim) => fields[claim] ?? null),
    },
    problems: [],
  };
}

/** Looks at ids that are well-formed, even when another field is wrong. */
function findSameOrganization(input: unknown): FieldProblem[] {
  const { orgId, sourceOrgId } = toObject(input);
  if (orgId !== sourceOrgId || !organizationId.safeParse(orgId).success) return [];
  const remedy = 'name the Cloud Manager organization that will use the token, or leave it out';
  return [{ field: 'sourceOrgId', description: `is the Atlas organization itself: ${remedy}` }];
}

/** Gets the entries even when another field is wrong, so that one failure names every problem. */
function getAccessList(input: unknown): unknown[] {
  const { accessListIps: list } = toObject(input);
  return Array.isArray(list) && list.length <= MAX_ACCESS_LIST_ENTRIES ? list : [];
}
