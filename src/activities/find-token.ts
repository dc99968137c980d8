import { Context } from '@temporalio/activity';
import type { Client } from '@temporalio/client';
import type { ApplicationFailure } from '@temporalio/common';
import type { PrepareRequest } from '../contract/schemas';
import { raceSignal, withTimeout } from '../http/abort';
import type { Activities } from '../shared/activities';
import { terminalFailure } from '../shared/application-failure';
import { describeEarlierToken, findEarlierToken } from '../temporal/earlier-token';
import { temporalUnavailable } from './failures';

/** Limit for one try, which occupies one of the worker's slots for workflow tasks. */
const TRY_TIMEOUT_MS = 1000;

/**
 * Makes the activity that refuses a run whose workflow id has a token already, delivered or recoverable,
 * unless `again` in its request permits another. It runs beside the validation, so it reads only `again` of
 * the unchecked request.
 *
 * A retry is safe: it only reads.
 *
 * @param giveUpAfterMs time for which Temporal's list may fail before the run fails.
 */
export function findTokenActivity(giveUpAfterMs: number): Activities['findToken'] {
  /** Searches by run id. The connection retries a call for 15 s and cannot abort it, so tries share one. */
  const searches = new Map<string, Promise<ApplicationFailure | null>>();

  return async function findToken(request, startedAtMs) {
    const { info, client } = Context.current();
    const { workflowId, runId } = info.workflowExecution ?? { workflowId: '', runId: '' };
    const fields = (typeof request === 'object' ? request : null) as Partial<PrepareRequest> | null;
    const search = searches.get(runId) ?? findRefusal(client, workflowId, fields);
    searches.set(runId, search);
    void search.catch(() => undefined).finally(() => searches.delete(runId));

    const wait = (signal: AbortSignal) => raceSignal(() => search, signal);
    const refusal = await withTimeout(TRY_TIMEOUT_MS, undefined, wait).catch((error: unknown) => {
      throw temporalUnavailable(error, workflowId, Date.now() >= startedAtMs + giveUpAfterMs);
    });
    if (refusal) throw refusal;
  };
}

async function findRefusal(
  client: Client,
  workflowId: string,
  request: Partial<PrepareRequest> | null,
): Promise<ApplicationFailure | null> {
  const again: unknown = request?.again;
  const permitted = again === true || typeof again === 'string' ? again : undefined;
  const token = await findEarlierToken(client, workflowId, permitted);
  if (!token) return null;
  const message = await describeEarlierToken(client, workflowId, token, request);
  return terminalFailure('TokenExists', message, token);
}
