import { Context } from '@temporalio/activity';
import type { Client } from '@temporalio/client';
import { raceSignal, withTimeout } from '../abort';
import { validateAgainstConfig, type Permissions } from '../requests/validate-against-config';
import type { Activities } from '../shared/activities';
import { terminalFailure } from '../shared/application-failure';
import { toObject } from '../shared/object';
import { describeEarlierToken, findEarlierToken } from '../temporal/earlier-token';
import { invalidRequest, temporalUnavailable } from './failures';

/** Limit for one attempt, which occupies one of the worker's slots for workflow tasks. */
const ATTEMPT_TIMEOUT_MS = 1000;

/**
 * For so long an outcome is kept that no attempt has read: the run may have ended. It is far longer
 * than the pause between two attempts.
 */
const KEEP_UNREAD_MS = 5 * 60_000;

/**
 * Creates the activity that refuses a run whose workflow id has a token already, delivered or
 * recoverable, unless `again` in its request permits another. It runs concurrently with the
 * validation, so the request is not validated yet.
 *
 * A retry is safe: it only reads.
 *
 * @param giveUpAfterMs time for which Temporal's list may fail before the run fails.
 */
export function findTokenActivity(
  permissions: Permissions,
  giveUpAfterMs: number,
): Activities['findToken'] {
  /**
   * Searches by run id. A search outlives the attempt that started it: the next one reads its
   * outcome.
   */
  const searches = new Map<
    string,
    { refusal: ReturnType<typeof findRefusal>; expiry: NodeJS.Timeout }
  >();

  return async function findToken(request, startedAtMs) {
    const { info, client } = Context.current();
    const { workflowId, runId } = info.workflowExecution ?? { workflowId: '', runId: '' };
    const earlierSearch = searches.get(runId);
    clearTimeout(earlierSearch?.expiry);
    const search = earlierSearch?.refusal ?? findRefusal(client, workflowId, toObject(request));
    search.catch(() => undefined);
    const expiry = setTimeout(() => searches.delete(runId), KEEP_UNREAD_MS).unref();
    searches.set(runId, { refusal: search, expiry });
    const forget = () => {
      clearTimeout(expiry);
      searches.delete(runId);
    };

    const waitForSearch = (signal: AbortSignal) =>
      raceSignal(() => search, signal).finally(() => {
        if (!signal.aborted) forget();
      });
    const refusal = await withTimeout(ATTEMPT_TIMEOUT_MS, undefined, waitForSearch).catch(
      (error: unknown) => {
        // The run waits for this activity before it reports a mistake in its request.
        const { problems } = validateAgainstConfig(request, permissions);
        if (problems.length > 0) throw invalidRequest(problems);
        throw temporalUnavailable(error, workflowId, Date.now() >= startedAtMs + giveUpAfterMs);
      },
    );
    if (refusal) throw refusal;
  };
}

async function findRefusal(client: Client, workflowId: string, request: Record<string, unknown>) {
  const { again } = request;
  const permittedToken = again === true || typeof again === 'string' ? again : undefined;
  const token = await findEarlierToken(client, workflowId, { permitted: permittedToken });
  if (!token) return null;
  const { runId, state, deliveryId, receipt } = token;
  const details = { runId, state, deliveryId, receipt };
  return terminalFailure('TokenExists', describeEarlierToken(workflowId, token, request), details);
}
