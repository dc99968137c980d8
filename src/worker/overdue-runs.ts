import { setTimeout as sleep } from 'node:timers/promises';
import type { Client } from '@temporalio/client';
import type { Logger, MetricMeter } from '@temporalio/common';
import { WORKFLOW_TYPES } from '../contract/workflows';
import { withReadTimeout } from '../temporal/grpc';
import { visibilityQuery } from '../temporal/list-runs';

const INTERVAL_MS = 60_000;
/** Time for the delivery of a token that was created just before the deadline. */
const DELIVERY_MS = 3_600_000;

/**
 * Counts the overdue runs, now and every minute: the open runs of `prepareLiveMigration` in the
 * namespace, on any task queue, that started longer ago than creation may take, and one hour. Such
 * a run
 *
 * - is undelivered,
 * - had to wait for Temporal's list of runs before the creation, or
 * - has nothing that works on it: no worker polls its task queue, its workflow task fails, or the
 *   version of its worker is not current.
 *
 * @param options.giveUpAfterMs the setting: the longest time of a creation.
 * @throws AbortError
 */
export async function watchOverdueRuns(
  client: Client,
  meter: MetricMeter,
  { giveUpAfterMs, logger, signal }: { giveUpAfterMs: number; logger: Logger; signal: AbortSignal },
): Promise<never> {
  const runs = meter.createGauge(
    'link_token_overdue_runs',
    'int',
    undefined,
    'Open runs of the namespace that started longer ago than retries.giveUpAfterMs and one hour',
  );
  const checks = meter.createCounter(
    'link_token_overdue_checks',
    undefined,
    'Counts of overdue runs, by outcome',
  );
  let isFailing = false;

  async function check(): Promise<void> {
    try {
      runs.set(await countOverdueRuns(client, giveUpAfterMs));
      checks.add(1, { outcome: 'ok' });
      isFailing = false;
    } catch (error) {
      if (signal.aborted) return;
      checks.add(1, { outcome: 'failed' });
      if (!isFailing) {
        logger.warn(
          'overdue runs cannot be counted, so their metric is out of date: the error says why;' +
            ' the worker needs the permission to count the runs of its namespace',
          { error },
        );
      }
      isFailing = true;
    }
  }

  for (;;) {
    await check();
    await sleep(INTERVAL_MS, undefined, { signal });
  }
}

async function countOverdueRuns(client: Client, giveUpAfterMs: number): Promise<number> {
  const startedBefore = new Date(Date.now() - giveUpAfterMs - DELIVERY_MS).toISOString();
  const query = visibilityQuery(
    { WorkflowType: WORKFLOW_TYPES.prepare },
    'CloseTime IS NULL',
    `StartTime < '${startedBefore}'`,
  );
  const { count } = await withReadTimeout(client, () => client.workflow.count(query));
  return count;
}
