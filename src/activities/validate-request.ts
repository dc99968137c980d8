import { z } from 'zod';
import type { Activities, RunOptions, ValidatedRequest } from '../contract/activities';
import { toFieldProblem } from '../contract/check-request';
import { WORKFLOW_TYPES, workflowIdFor } from '../contract/names';
import { recoverySchema, type FieldProblem, type ValidRequest } from '../contract/schemas';
import type { Organizations } from '../config/organizations';
import type { Sink } from '../sinks/sink';
import { checkConfigured } from './check-configured';
import { invalidRequest } from './failures';

export type RetryPlans = Omit<ValidatedRequest, 'request'>;

/**
 * Checks a request before anything costs: its fields, every address, the sink, the credential, and how the run was
 * started; every problem in one failure. It also returns the retry plans, since workflow code reads no configuration.
 *
 * A retry is safe: it is pure.
 */
export function validateRequestActivity(
  organizations: Organizations,
  sinks: ReadonlyMap<string, Sink>,
  plans: RetryPlans,
): Activities['validateRequest'] {
  // eslint-disable-next-line @typescript-eslint/require-await -- a throw must become a rejection
  return async function validateRequest(input, recovery, run) {
    // A recovery creates nothing, so the access list, whose rules may have changed since, does not matter.
    const checked = checkConfigured(
      recovery && isObject(input) ? { ...input, accessListIps: [] } : input,
      organizations,
      sinks,
    );
    const found = [...checked.problems, ...recoveryProblems(recovery), ...runProblems(checked.request, run)];
    if (!checked.request || found.length > 0) throw invalidRequest(found);
    const accessListIps = recovery?.sealedToken.accessListIps ?? checked.request.accessListIps;
    return { request: { ...checked.request, accessListIps }, ...plans };
  };
}

const recoveryArgumentSchema = z.object({ recovery: recoverySchema });

/** Whether the token opens, delivery itself finds out. */
function recoveryProblems(recovery: unknown): FieldProblem[] {
  if (recovery === null) return [];
  return recoveryArgumentSchema.safeParse({ recovery }).error?.issues.map(toFieldProblem) ?? [];
}

/** One run for each pair of organizations, and only a delivered token or a cancellation ends it. */
function runProblems(
  request: ValidRequest | null,
  { workflowId, refusedOptions }: RunOptions,
): FieldProblem[] {
  const problems = refusedOptions.map((field) => ({
    field,
    description:
      field === 'memo'
        ? 'is not plain JSON of at most 16 KB: start the run without it'
        : 'is not allowed: a run that Temporal ends or repeats leaves a token behind; start it without this option',
  }));
  const expected = request && workflowIdFor(request.orgId, request.sourceOrgId);
  if (expected === null || workflowId === expected) return problems;
  const description = `must be ${expected}: one run of ${WORKFLOW_TYPES.prepare} for each pair of organizations`;
  return [...problems, { field: 'workflowId', description }];
}

function isObject(input: unknown): input is Record<string, unknown> {
  return typeof input === 'object' && input !== null && !Array.isArray(input);
}
