import { Context } from '@temporalio/activity';
import type { Activities } from '../contract/activities';
import type { PrepareRequest } from '../contract/schemas';
import { describeEarlierToken, findEarlierToken } from '../temporal/earlier-token';
import { applicationFailure, temporalUnavailable } from './failures';

/** The deadline of the first try grows with each: a worker runs only so many workflow tasks at once. */
const DEADLINE_MS = 1000;
const MAX_DEADLINE_MS = 5000;

/**
 * Refuses a run whose workflow id has a token already, delivered or recoverable, that `again` in its request does not
 * permit. It runs beside the validation, so the request is not checked: only `again` is read.
 *
 * A retry is safe: it only reads.
 *
 * @param giveUpAfterMs how long Temporal's list may fail before the run does.
 */
export function findTokenActivity(giveUpAfterMs: number): Activities['findToken'] {
  return async function findToken(request) {
    const { info, client } = Context.current();
    const workflowId = info.workflowExecution?.workflowId ?? '';
    const fields = (typeof request === 'object' ? request : null) as Partial<PrepareRequest> | null;
    const deadlineMs = Date.now() + Math.min(info.attempt * DEADLINE_MS, MAX_DEADLINE_MS);
    const found = await client
      .withDeadline(deadlineMs, async () => {
        const token = await findEarlierToken(client, workflowId, readAgain(fields));
        return token && { token, message: await describeEarlierToken(client, workflowId, token, fields) };
      })
      .catch((error: unknown) => {
        throw temporalUnavailable(error, workflowId, Date.now() >= info.scheduledTimestampMs + giveUpAfterMs);
      });
    if (!found) return;
    throw applicationFailure({
      type: 'TokenExists',
      message: found.message,
      nonRetryable: true,
      details: [found.token],
    });
  };
}

function readAgain(request: Partial<PrepareRequest> | null): true | string | undefined {
  const again: unknown = request?.again;
  return again === true || typeof again === 'string' ? again : undefined;
}
