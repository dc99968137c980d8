import { isCancellation } from '@temporalio/workflow';
import { WORKER_CHECK_FAILED } from '../contract/failure-types';
import type { CheckReport } from '../contract/schemas';
import { terminalFailure } from '../shared/application-failure';
import { findApplicationFailure, readAttemptFailure } from '../shared/attempt-failure';
import { runChecks } from './activity-proxies';
import { firstDetails } from './endings';

const NO_REPORT: CheckReport = { findings: [], request: null, fields: [] };

/**
 * Checks, inside a worker, what runs need, or what a request would use. Nothing is created.
 *
 * @throws ApplicationFailure of type `WorkerCheckFailed` or `InvalidRequest`, with the report as
 *   its details.
 */
export async function checkWorker(request?: unknown): Promise<CheckReport> {
  try {
    return await runChecks(request ?? null);
  } catch (error) {
    if (isCancellation(error)) throw error;
    const failure = findApplicationFailure(error);
    const { type, message } = readAttemptFailure(failure ?? error);
    const report = failure ? firstDetails(failure) : {};
    throw terminalFailure(type === 'InvalidRequest' ? type : WORKER_CHECK_FAILED, message, {
      ...NO_REPORT,
      ...report,
    });
  }
}
