import { ApplicationFailure, TemporalFailure, isCancellation } from '@temporalio/workflow';
import { WORKER_CHECK_FAILED } from '../contract/names';
import type { CheckReport } from '../contract/schemas';
import { causeOf, messageAndDetails, terminalFailure, unwritableRequest } from './failures';
import { checks } from './proxies';

/**
 * Checks, inside a worker, what runs need: credentials, sealing keys and sinks; with a request, what that request would
 * use. Nothing is created. A rollout gate needs only the ending.
 *
 * @throws ApplicationFailure of type `WorkerCheckFailed` or `InvalidRequest`, with the report as its details.
 */
export async function checkWorker(request?: unknown): Promise<CheckReport> {
  try {
    return await checks().runChecks(request ?? null);
  } catch (error) {
    if (isCancellation(error)) throw error;
    const reported = causeOf(error);
    const cause = reported instanceof TemporalFailure ? reported : unwritableRequest();
    const { message, details } = messageAndDetails(cause);
    const type =
      cause instanceof ApplicationFailure && cause.type === 'InvalidRequest'
        ? cause.type
        : WORKER_CHECK_FAILED;
    const report: CheckReport = { findings: [], request: null, fields: [], ...details };
    throw terminalFailure(type, message, [report]);
  }
}
