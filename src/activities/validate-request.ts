import { Context } from '@temporalio/activity';
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
import { findEarlierToken, type EarlierToken } from '../temporal/earlier-token';
import { createSharing } from './share-calls';
import { temporalUnavailable } from './temporal-unavailable';

/**
 * How long an attempt waits for the list. Temporal's SDK cannot abort a call, and repeats one that
 * the server refuses for more than a minute: a self-hosted server permits ten lists a second by
 * default. So the search goes on, and a later attempt takes its result.
 */
const ATTEMPT_WAIT_MS = 500;
const SEARCH_KEPT_MS = 60_000;

/** Between waits that short, a list that hangs occupies few of a worker's activity slots. */
const LIST_BACKOFF: Backoff = { initialIntervalMs: 1000, maximumIntervalMs: 10_000 };

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
  const shareSearch = createSharing<EarlierToken | null>(SEARCH_KEPT_MS);
  return async function validateRequest(input) {
    const { client, info } = Context.current();
    const { workflowId = '', runId = '' } = info.workflowExecution ?? {};
    const request = requireValid(input, workflowId, permissions);
    const { again } = toObject(input);
    const permitted = again === true || typeof again === 'string' ? again : undefined;
    const search = () =>
      shareSearch(runId, () => findEarlierToken(client, workflowId, { permitted }));
    const token = await withTimeout(ATTEMPT_WAIT_MS, undefined, (signal) =>
      raceSignal(search, signal),
    ).catch((error: unknown) => {
      throw temporalUnavailable(error, workflowId, retryDelayMs(LIST_BACKOFF, info.attempt));
    });
    if (token) throw tokenExists(workflowId, token, toObject(input));
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
