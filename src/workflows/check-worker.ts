import { isCancellation } from '@temporalio/workflow';
import { WORKER_CHECK_FAILED } from '../contract/names';
import type { CheckReport } from '../contract/schemas';
import { terminalFailure } from '../shared/application-failure';
import { runChecks } from './activity-proxies';
import { findApplicationFailure, parseFailure, parseReport } from './activity-results';
import { firstDetails } from './run-failures';

const NO_REPORT: CheckReport = { findings: [], request: null, fields: [] };

/**
 * Checks, inside a worker, what runs need, or what a request would use. Nothing is created.
 *
 * @throws ApplicationFailure of type `WorkerCheckFailed` or `InvalidRequest`, with the report as its details.
 */
export async function checkWorker(request?: unknown): Promise<CheckReport> {
  try {
    const report = parseReport(await runChecks(request ?? null));
    if (report) return report;
  } catch (error) {
    if (isCancellation(error)) throw error;
    const failure = findApplicationFailure(error);
    const { type, message } = parseFailure(failure ?? error);
    const report = parseReport({ ...NO_REPORT, ...(failure && firstDetails(failure)) });
    const isInvalid = type === 'InvalidRequest';
    throw terminalFailure(isInvalid ? type : WORKER_CHECK_FAILED, message, report ?? NO_REPORT);
  }
  throw terminalFailure(WORKER_CHECK_FAILED, 'the check was completed without a report', NO_REPORT);
}
