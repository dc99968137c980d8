import { setTimeout as sleep } from 'node:timers/promises';
import type { Client } from '@temporalio/client';
import type { Logger, MetricMeter } from '@temporalio/common';
import { listRuns } from '../temporal/visibility';

const INTERVAL_MS = 60_000;

/**
 * Measures the undelivered runs of the task queue, now and every minute. It reads the memo of open runs, so the gauges
 * survive a restart, and include a run that pauses for hours between rounds.
 *
 * @throws AbortError
 */
export async function watchUndelivered(
  client: Client,
  meter: MetricMeter,
  { taskQueue, logger, signal }: { taskQueue: string; logger: Logger; signal: AbortSignal },
): Promise<never> {
  const createGauge = (name: string, description: string) => meter.createGauge(name, 'int', undefined, description);
  const runs = createGauge('link_token_undelivered_runs', 'Open runs whose last round of delivery failed');
  const oldest = createGauge(
    'link_token_undelivered_oldest_run_age_seconds',
    'Time since the oldest of these runs started; 0 without one',
  );
  const checks = meter.createCounter(
    'link_token_undelivered_checks',
    undefined,
    'Attempts to list undelivered runs, by outcome',
  );
  let refused = false;

  async function check(): Promise<void> {
    try {
      const nowMs = Date.now();
      let count = 0;
      let startedAtMs = nowMs;
      for await (const { memo, startTime } of listRuns(client, taskQueue, 'CloseTime IS NULL')) {
        if (memo.step !== 'undelivered') continue;
        count += 1;
        startedAtMs = Math.min(startedAtMs, startTime.getTime());
      }
      runs.set(count);
      oldest.set(Math.round((nowMs - startedAtMs) / 1000));
      checks.add(1, { outcome: 'ok' });
      refused = false;
    } catch (error) {
      if (signal.aborted) return;
      checks.add(1, { outcome: 'failed' });
      if (!refused) {
        logger.warn(
          'undelivered runs cannot be listed, so their metrics are out of date: the error says why;' +
            ' the worker needs the permission to list the runs of its namespace',
          { error },
        );
      }
      refused = true;
    }
  }

  for (;;) {
    await check();
    await sleep(INTERVAL_MS, undefined, { signal });
  }
}
