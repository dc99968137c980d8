import { TemporalFailure, isCancellation } from '@temporalio/workflow';
import { WORKER_CHECK_FAILED } from '../contract/names';
import type { CheckReport } from '../contract/schemas';
import { findApplicationFailure, parseFailure, parseReport } from './activity-results';
import { firstDetails, terminalFailure, unwritableRequest } from './failures';
import { checks } from './proxies';

const NO_REPORT: CheckReport = { findings: [], request: null, fields: [] };

/**
 * Checks, inside a worker, what runs need: credentials, sealing keys and sinks; with a request, what that request would
 * use. Nothing is created. A rollout gate needs only the ending.
 *
 * @throws ApplicationFailure of type `WorkerCheckFailed` or `InvalidRequest`, with the report as its details.
 */
export async function checkWorker(request?: unknown): Promise<CheckReport> {
  try {
    const report = parseReport(await checks().runChecks(request ?? null));
    if (report) return report;
  } catch (error) {
    if (isCancellation(error)) throw error;
    if (!(error instanceof TemporalFailure)) {
      const { type, message, details } = unwritableRequest();
      throw terminalFailure(String(type), message, [{ ...NO_REPORT, ...(details?.[0] as object) }]);
    }
    const { type, message } = parseFailure(error);
    const failure = findApplicationFailure(error);
    const report = failure && parseReport(firstDetails(failure));
    throw terminalFailure(type === 'InvalidRequest' ? type : WORKER_CHECK_FAILED, message, [
      report ?? NO_REPORT,
    ]);
  }
  throw terminalFailure(WORKER_CHECK_FAILED, 'the check was completed without a report', [NO_REPORT]);
}
