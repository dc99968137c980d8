import type { MetricMeter } from '@temporalio/common';
import { Runtime, type Logger, type LogLevel } from '@temporalio/worker';
import type { Config } from '../config';
import { hostPort } from './health';
import { metricsOptions } from './worker-metrics';

/**
 * Installs the Temporal runtime, whose native Core writes to our log too.
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
  const telemetryOptions = { logging, metrics: metricsOptions(bindAddress) };
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
