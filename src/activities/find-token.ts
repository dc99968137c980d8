import { Context } from '@temporalio/activity';
import type { Client } from '@temporalio/client';
import { raceSignal, withTimeout } from '../abort';
import { tokenExists } from '../requests/token-exists';
import type { Activities } from '../shared/activities';
import { toObject } from '../shared/object';
import { findEarlierToken } from '../temporal/earlier-token';
import { temporalUnavailable } from './temporal-unavailable';

/**
 * Limit for one attempt, which occupies one of the worker's slots for workflow tasks. It is below
 * the timeout of Temporal, which would hide the reason.
 */
const ATTEMPT_TIMEOUT_MS = 9000;

/**
 * Refuses a run whose workflow id has a token already, delivered or abandoned, unless `again` in
 * its request permits another.
 *
 * A retry is safe: it only reads.
 */
export const findToken: Activities['findToken'] = async (request) => {
  const { info, client } = Context.current();
  const workflowId = info.workflowExecution?.workflowId ?? '';
  const search = () => findRefusal(client, workflowId, toObject(request));
  const refusal = await withTimeout(ATTEMPT_TIMEOUT_MS, undefined, (signal) =>
    raceSignal(search, signal),
  ).catch((error: unknown) => {
    throw temporalUnavailable(error, workflowId);
  });
  if (refusal) throw refusal;
};

async function findRefusal(client: Client, workflowId: string, request: Record<string, unknown>) {
  const { again } = request;
  const permitted = again === true || typeof again === 'string' ? again : undefined;
  const token = await findEarlierToken(client, workflowId, { permitted });
  return token && tokenExists(workflowId, token, request);
}
