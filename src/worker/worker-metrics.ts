import type { MetricMeter } from '@temporalio/common';
import type { AdminApiOptions } from '../atlas/admin-api';
import { FAILURE_TYPES } from '../contract/failure-types';
import { WORKFLOW_TYPES } from '../contract/workflows';

const REQUEST_BUCKETS_S = [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];

/**
 * Metrics are named as on Temporal's page on alerts: `_total` for counters, seconds for durations.
 *
 * @param bindAddress such as `127.0.0.1:9464`.
 */
export function metricsOptions(bindAddress: string) {
  const prometheus = {
    bindAddress,
    countersTotalSuffix: true,
    unitSuffix: true,
    useSecondsForDurations: true,
    histogramBucketOverrides: { atlas_request_duration_seconds: REQUEST_BUCKETS_S },
  };
  return { prometheus, attachServiceName: false };
}

/**
 * Starts at 0 those counters of src/workflows/run-metrics.ts that alerts watch, under the labels
 * that the SDK gives them: Prometheus sees no increase in a counter whose first sample is 1.
 */
export function startRunCounters(
  meter: MetricMeter,
  { namespace, taskQueue }: { namespace: string; taskQueue: string },
): void {
  const labels = { namespace, taskQueue, workflowType: WORKFLOW_TYPES.prepare };
  const runs = meter.createCounter('link_token_runs');
  for (const outcome of ['delivered', 'cancelledWithoutToken', ...FAILURE_TYPES]) {
    runs.add(0, { ...labels, outcome });
  }
  meter.createCounter('link_token_unconfirmed').add(0, labels);
  const revoked = meter.createCounter('link_token_revoked');
  for (const workflowType of [WORKFLOW_TYPES.prepare, WORKFLOW_TYPES.revoke]) {
    for (const outcome of ['deleted', 'gone']) revoked.add(0, { ...labels, workflowType, outcome });
  }
}

/**
 * Times the requests to Atlas, by endpoint and status; status `none` when no complete response
 * arrived.
 */
export function timeAtlasRequests(meter: MetricMeter): NonNullable<AdminApiOptions['onRequest']> {
  const seconds = meter.createHistogram(
    'atlas_request_duration_seconds',
    'float',
    undefined,
    'Requests to Atlas, by endpoint and status',
  );
  return ({ endpoint, status, durationMs }) =>
    seconds.record(durationMs / 1000, { endpoint, status: status ?? 'none' });
}
