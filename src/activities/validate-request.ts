import { Context, type Info } from '@temporalio/activity';
import { raceSignal, withTimeout } from '../abort';
import type { FieldProblem, ValidRequest } from '../contract/schemas';
import { workflowIdFor } from '../contract/workflow-id';
import { WORKFLOW_TYPES } from '../contract/workflows';
import { tokenExists } from '../requests/token-exists';
import { validateAgainstConfig, type Permissions } from '../requests/validate-against-config';
import type { Activities, Backoff, Retries, RunPlan } from '../shared/activities';
import { invalidRequest } from '../shared/invalid-request';
import { toObject } from '../shared/object';
import { retryDelayMs } from '../shared/retry-delay';
import { findEarlierToken } from '../temporal/earlier-token';
import { temporalUnavailable } from './temporal-unavailable';

/** Below the start-to-close timeout of 3 s, which would hide the reason. */
const LIST_TIMEOUT_MS = 2500;

/**
 * The pauses grow, so that a list that hangs occupies only a part of a worker's activity slots.
 * They stay short, since a self-hosted server permits ten lists a second by default: the runs that
 * it refuses try again soon.
 */
const LIST_BACKOFF: Backoff = { initialIntervalMs: 1000, maximumIntervalMs: 20_000 };

/**
 * Creates the activity that decides whether a run may create a token, before any cost. It validates
 * the request, and refuses a pair that has a token already, unless `again` permits another. It
 * returns the settings that a run needs, since workflow code reads no configuration.
 *
 * A retry is safe: it only computes and reads.
 *
 * @throws ApplicationFailure of type InvalidRequest, which names all problems of the request,
 *   TokenExists, or TemporalUnavailable.
 */
export function validateRequestActivity(
  permissions: Permissions,
  retries: Retries,
  searchAttributes = false,
): Activities['validateRequest'] {
  return async function validateRequest(input) {
    const { info } = Context.current();
    const workflowId = info.workflowExecution?.workflowId ?? '';
    const request = requireValid(input, workflowId, permissions);
    await requireNoToken(input, workflowId, info);
    const plan: RunPlan = { request, retries };
    if (searchAttributes) plan.searchAttributes = true;
    return plan;
  };
}

/** @throws ApplicationFailure of type InvalidRequest. */
export function requireValid(
  input: unknown,
  workflowId: string,
  permissions: Permissions,
): ValidRequest {
  const { request, problems } = validateAgainstConfig(input, permissions);
  if (request) problems.push(...findIdProblems(request, workflowId));
  if (!request || problems.length > 0) throw invalidRequest(problems);
  return request;
}

function findIdProblems(request: ValidRequest, workflowId: string): FieldProblem[] {
  const expected = workflowIdFor(request);
  if (workflowId === expected) return [];
  const description =
    `must be ${expected}: one run of ${WORKFLOW_TYPES.prepare}` + ' for each pair of organizations';
  return [{ field: 'workflowId', description }];
}

async function requireNoToken(
  input: unknown,
  workflowId: string,
  { attempt }: Pick<Info, 'attempt'>,
): Promise<void> {
  const { client } = Context.current();
  const request = toObject(input);
  const { again } = request;
  const permitted = again === true || typeof again === 'string' ? again : undefined;
  const search = () => findEarlierToken(client, workflowId, { permitted });
  const token = await withTimeout(LIST_TIMEOUT_MS, undefined, (signal) =>
    raceSignal(search, signal),
  ).catch((error: unknown) => {
    throw temporalUnavailable(error, workflowId, retryDelayMs(LIST_BACKOFF, attempt));
  });
  if (token) throw tokenExists(workflowId, token, request);
}
