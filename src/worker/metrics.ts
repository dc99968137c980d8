import { ApplicationFailure, type MetricMeter } from '@temporalio/common';
import { Runtime, type ActivityInterceptorsFactory, type Logger, type LogLevel } from '@temporalio/worker';
import type { AdminApiOptions } from '../atlas/admin-api';
import type { Config } from '../config';
import { DELIVERY_FAILURE_TYPES, FAILURE_TYPES, WORKFLOW_TYPES } from '../contract/names';
import { scheduledResultSchema } from '../contract/schemas';
import { hostPort } from './health';

const REQUEST_BUCKETS_S = [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];
const AGE_BUCKETS_S = [60, 600, 3600, 6 * 3600, 24 * 3600, 72 * 3600, 7 * 24 * 3600, 30 * 24 * 3600];

/**
 * Installs the Temporal runtime. It writes all its lines to our log, including those of its native Core, and
 * serves metrics for Prometheus when an endpoint is configured. They are named as on Temporal's page on
 * alerts: `_total` for counters, seconds for durations.
 *
 * @returns a meter that does nothing when no endpoint is configured.
 * @throws Error when the port is taken, naming it.
 */
export function installRuntime(
  logger: Logger,
  { log, metrics }: Pick<Config, 'log' | 'metrics'>,
): MetricMeter {
  const logging = {
    filter: { core: log.level.toUpperCase() as LogLevel, other: 'WARN' },
    forward: {},
  } as const;
  // Signals drain the worker, and the program decides how.
  const options = { logger, shutdownSignals: [] };
  if (!metrics) return Runtime.install({ ...options, telemetryOptions: { logging } }).metricMeter;
  const bindAddress = hostPort(metrics.host, metrics.port);
  const prometheus = {
    bindAddress,
    countersTotalSuffix: true,
    unitSuffix: true,
    useSecondsForDurations: true,
    histogramBucketOverrides: {
      atlas_request_duration_seconds: REQUEST_BUCKETS_S,
      link_token_age_at_failed_round_seconds: AGE_BUCKETS_S,
    },
  };
  const telemetryOptions = { logging, metrics: { prometheus, attachServiceName: false } };
  try {
    return Runtime.install({ ...options, telemetryOptions }).metricMeter;
  } catch (error) {
    const reason = (error as Error).message;
    throw new Error(
      `cannot serve metrics on ${bindAddress} (${reason}): set metrics.port to a free port, or correct metrics.host`,
    );
  }
}

/**
 * Starts at 0 those counters of src/workflows/metrics.ts that alerts watch, under the labels that the SDK
 * gives them: Prometheus sees no increase in a counter whose first sample is 1.
 */
export function startRunCounters(
  meter: MetricMeter,
  { namespace, taskQueue }: { namespace: string; taskQueue: string },
): void {
  const start = (name: string, workflowType: string, outcomes: readonly string[]) => {
    const counter = meter.createCounter(name);
    for (const outcome of outcomes) counter.add(0, { namespace, taskQueue, workflowType, outcome });
  };
  const { prepare, prepareOnSchedule } = WORKFLOW_TYPES;
  const { options: scheduledOutcomes } = scheduledResultSchema.shape.outcome;
  const scheduledFailures = [...FAILURE_TYPES, ...DELIVERY_FAILURE_TYPES, 'other'];
  start('link_token_runs', prepare, ['delivered', 'cancelledWithoutToken', ...FAILURE_TYPES]);
  start('link_token_schedule_runs', prepareOnSchedule, [...scheduledOutcomes, ...scheduledFailures]);
  meter.createCounter('link_token_unconfirmed').add(0, { namespace, taskQueue, workflowType: prepare });
}

/** Counts the attempts of activities: `ok`, or the type of the failure and whether Temporal may retry it. */
export function countAttempts(meter: MetricMeter): ActivityInterceptorsFactory {
  const attempts = meter.createCounter(
    'link_token_attempts',
    undefined,
    'Attempts of activities that ended in this worker, by outcome',
  );
  return ({ info: { activityType } }) => ({
    inbound: {
      async execute(input, next) {
        const count = (outcome: string, retryable: boolean) =>
          attempts.add(1, { activity: activityType, outcome, retryable });
        try {
          const result = await next(input);
          count('ok', false);
          return result;
        } catch (error) {
          if (error instanceof ApplicationFailure) count(String(error.type), !error.nonRetryable);
          else count(error instanceof Error ? error.name : typeof error, true);
          throw error;
        }
      },
    },
  });
}

/** Times the requests to Atlas, by endpoint and status; status `none` when no complete response arrived. */
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
