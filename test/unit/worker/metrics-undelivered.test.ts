import type { Client } from '@temporalio/client';
import type { MetricMeter } from '@temporalio/common';
import { DefaultLogger, type LogEntry } from '@temporalio/worker';
import { watchUndelivered } from '../../../src/worker/metrics-undelivered';

const INTERVAL_MS = 60_000;

/** An open run as the list has it. */
interface Listed {
  memo?: object;
  startTime: Date;
}

const undelivered = (ageS: number): Listed => ({
  memo: { step: 'undelivered' },
  startTime: new Date(Date.now() - ageS * 1000),
});
const underWay = (ageS: number): Listed => ({ startTime: new Date(Date.now() - ageS * 1000) });

beforeEach(() => void jest.useFakeTimers());
afterEach(() => void jest.useRealTimers());

/** Watches a server that lists these runs, or refuses to. */
function watch(runs: () => Listed[]) {
  const metrics: Record<string, number> = {};
  const gauge = (name: string) => ({ set: (value: number) => (metrics[name] = value) });
  const counter = (name: string) => ({
    add(value: number, { outcome }: { outcome: string }) {
      metrics[`${name} ${outcome}`] = (metrics[`${name} ${outcome}`] ?? 0) + value;
    },
  });
  const meter = { createGauge: gauge, createCounter: counter } as unknown as MetricMeter;
  const queries: string[] = [];
  const client = {
    withDeadline: (_deadline: number, call: () => Promise<void>) => call(),
    workflow: {
      // eslint-disable-next-line @typescript-eslint/require-await -- as the client has it
      async *list({ query }: { query: string }) {
        queries.push(query);
        yield* runs();
        // The list of many runs takes its time.
        jest.setSystemTime(Date.now() + 5000);
      },
    },
  } as unknown as Client;
  const warnings: LogEntry[] = [];
  const logger = new DefaultLogger('INFO', (line) => warnings.push(line));
  const watching = watchUndelivered(client, meter, { taskQueue: 'prep', logger });
  return {
    metrics,
    queries,
    warnings,
    close: () => watching.close(),
    minutes: (n: number) => jest.advanceTimersByTimeAsync(n * INTERVAL_MS),
  };
}

it('counts the undelivered runs of the task queue, at once and every minute, and the age of the oldest', async () => {
  let runs = [underWay(900), undelivered(30), undelivered(600), undelivered(60)];
  const { metrics, queries, warnings, minutes } = watch(() => runs);
  await minutes(0);
  expect(metrics).toEqual({
    link_token_undelivered_runs: 3,
    link_token_undelivered_oldest_run_age_seconds: 600,
    'link_token_undelivered_checks ok': 1,
  });
  expect(queries).toEqual([
    'WorkflowType = "prepareLiveMigration" AND TaskQueue = "prep" AND CloseTime IS NULL',
  ]);

  runs = [underWay(900)];
  await minutes(1);
  expect(metrics).toEqual({
    link_token_undelivered_runs: 0,
    link_token_undelivered_oldest_run_age_seconds: 0,
    'link_token_undelivered_checks ok': 2,
  });
  expect(warnings).toEqual([]);
});

it('a server that refuses to list runs is reported once, until it has listed them again; the metrics stay as they were', async () => {
  let refused = false;
  const { metrics, queries, warnings, close, minutes } = watch(() => {
    if (refused) throw new Error('PERMISSION_DENIED');
    return [undelivered(0)];
  });
  await minutes(0);
  refused = true;
  await minutes(3);
  expect(warnings).toMatchObject([
    {
      level: 'WARN',
      message:
        'undelivered runs cannot be listed, so their metrics are out of date: the error says why; the worker needs the permission to list the runs of its namespace',
      meta: { error: { message: 'PERMISSION_DENIED' } },
    },
  ]);
  expect(metrics).toEqual({
    link_token_undelivered_runs: 1,
    link_token_undelivered_oldest_run_age_seconds: 0,
    'link_token_undelivered_checks ok': 1,
    'link_token_undelivered_checks failed': 3,
  });

  refused = false;
  await minutes(1);
  refused = true;
  await minutes(1);
  expect(warnings).toHaveLength(2);

  const looks = queries.length;
  close();
  await minutes(1);
  expect(queries).toHaveLength(looks);
});

it('a check that the end of the worker breaks off is no failure', async () => {
  let ending = false;
  const { metrics, warnings, close, minutes } = watch(() => {
    if (!ending) return [];
    close();
    throw new Error('closed');
  });
  await minutes(0);
  ending = true;
  await minutes(1);
  expect(metrics).not.toHaveProperty('link_token_undelivered_checks failed');
  expect(warnings).toEqual([]);
});
