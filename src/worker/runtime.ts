import type { MetricMeter } from '@temporalio/common';
import { Runtime, type Logger, type LogLevel } from '@temporalio/worker';
import type { Config } from '../config';
import { hostPort } from './health';

const REQUEST_BUCKETS_S = [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];
const AGE_BUCKETS_S = [
  60,
  600,
  3600,
  6 * 3600,
  24 * 3600,
  72 * 3600,
  7 * 24 * 3600,
  30 * 24 * 3600,
];

/**
 * Installs the Temporal runtime, whose native Core writes to our log too. Metrics are named as on
 * Temporal's page on alerts: `_total` for counters, seconds for durations.
 *
 * @returns a meter that does nothing when no endpoint is configured.
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
      link_token_age_at_failed_delivery_seconds: AGE_BUCKETS_S,
    },
  };
  const telemetryOptions = { logging, metrics: { prometheus, attachServiceName: false } };
  try {
    return Runtime.install({ ...options, telemetryOptions }).metricMeter;
  } catch (error) {
    const reason = (error as Error).message;
    throw new Error(
      `cannot serve metrics on ${bindAddress} (${reason}):` +
        ' set metrics.port to a free port, or correct metrics.host',
    );
  }
}
