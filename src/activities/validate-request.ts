import { z } from 'zod';
import type { Organizations } from '../config/organizations';
import { WORKFLOW_TYPES, workflowIdFor } from '../contract/names';
import { recoverySchema, type FieldProblem, type ValidRequest } from '../contract/schemas';
import { validateAgainstConfig } from '../requests/validate-against-config';
import { toFieldProblem } from '../requests/validate-fields';
import type { Activities, Retries, RunOptions } from '../shared/activities';
import { toObject } from '../shared/object';
import type { Sink } from '../sinks/sink';
import { invalidRequest } from './failures';

/**
 * Makes the activity that validates a request before any cost. One failure names all problems. It also returns the
 * retries, since workflow code reads no configuration.
 *
 * A retry is safe: the activity is pure.
 */
export function validateRequestActivity(
  organizations: Organizations,
  sinks: ReadonlyMap<string, Sink>,
  retries: Retries,
): Activities['validateRequest'] {
  // eslint-disable-next-line @typescript-eslint/require-await -- a throw must become a rejection
  return async function validateRequest(input, recovery, run) {
    // A recovery creates nothing, so the access list is not checked: its rules may have changed.
    const checked = validateAgainstConfig(
      recovery ? { ...toObject(input), accessListIps: [] } : input,
      organizations,
      sinks,
    );
    const runProblems = findRunProblems(checked.request, run);
    const found = [...checked.problems, ...findRecoveryProblems(recovery), ...runProblems];
    if (!checked.request || found.length > 0) throw invalidRequest(found);
    const accessListIps = recovery?.sealedToken.accessListIps ?? checked.request.accessListIps;
    return { request: { ...checked.request, accessListIps }, retries };
  };
}

const recoveryArgumentSchema = z.object({ recovery: recoverySchema });

/** Delivery finds out whether the token opens. */
function findRecoveryProblems(recovery: unknown): FieldProblem[] {
  if (recovery === null) return [];
  return recoveryArgumentSchema.safeParse({ recovery }).error?.issues.map(toFieldProblem) ?? [];
}

/** Checks the workflow id and the start options: Temporal must neither end nor repeat a run. */
function findRunProblems(request: ValidRequest | null, { workflowId, refusedOptions }: RunOptions): FieldProblem[] {
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
