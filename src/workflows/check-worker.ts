import { isCancellation, proxyActivities } from '@temporalio/workflow';
import { WORKER_CHECK_FAILED } from '../contract/failure-types';
import type { CheckReport } from '../contract/schemas';
import type { Activities } from '../shared/activities';
import { terminalFailure } from '../shared/application-failure';
import { readAttemptFailure } from '../shared/attempt-failure';

const NO_REPORT: CheckReport = { findings: [], request: null, fields: [] };

/**
 * Three attempts within a minute, so that a brief error of Atlas or of a sink blocks no rollout.
 */
const { runChecks } = proxyActivities<Activities>({
  startToCloseTimeout: '15s',
  scheduleToCloseTimeout: '60s',
  retry: { initialInterval: '5s', backoffCoefficient: 2, maximumAttempts: 3 },
  summary: 'check the worker; nothing is created',
});

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
    const { type, message, details: report } = readAttemptFailure(error);
    throw terminalFailure(type === 'InvalidRequest' ? type : WORKER_CHECK_FAILED, message, {
      ...NO_REPORT,
      ...report,
    });
  }
}
