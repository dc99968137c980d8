import type { Client } from '@temporalio/client';
import type { MetricMeter } from '@temporalio/common';
import { DefaultLogger, type LogEntry } from '@temporalio/worker';
import { watchOverdueRuns } from '../../../src/worker/overdue-runs';

jest.mock('node:timers/promises', () => ({
  setTimeout: (ms: number, _value: unknown, { signal }: { signal: AbortSignal }) =>
    new Promise((resolve, reject) =>
      setTimeout(() => (signal.aborted ? reject(new Error()) : resolve(null)), ms),
    ),
}));
beforeEach(() => void jest.useFakeTimers({ now: Date.parse('2026-11-29T12:00:00Z') }));
afterEach(() => void jest.useRealTimers());

/** Watches a server that counts runs, or refuses to. */
function watch(countRuns: () => number) {
  const metrics: Record<string, number> = {};
  const meter = {
    createGauge: (name: string) => ({ set: (value: number) => (metrics[name] = value) }),
    createCounter: () => ({
      add: (value: number, { outcome }: { outcome: string }) =>
        (metrics[outcome] = (metrics[outcome] ?? 0) + value),
    }),
  };
  const queries: string[] = [];
  const client = {
    withDeadline: (_deadline: number, call: () => unknown) => call(),
    workflow: {
      // eslint-disable-next-line @typescript-eslint/require-await -- a throw must become a rejection
      async count(query: string) {
        queries.push(query);
        return { count: countRuns() };
      },
    },
  };
  const warnings: LogEntry[] = [];
  const logger = new DefaultLogger('INFO', (line) => warnings.push(line));
  const stop = new AbortController();
  const options = { giveUpAfterMs: 3_600_000, logger, signal: stop.signal };
  watchOverdueRuns(client as unknown as Client, meter as unknown as MetricMeter, options).catch(
    () => undefined,
  );
  const minutes = (n: number) => jest.advanceTimersByTimeAsync(n * 60_000);
  return { metrics, queries, warnings, close: () => stop.abort(), minutes };
}

const OVERDUE = 'link_token_overdue_runs';

it('runs an hour past their deadline are counted at once and then every minute', async () => {
  let count = 3;
  const { metrics, queries, warnings, minutes } = watch(() => count);
  await minutes(0);
  expect(metrics).toEqual({ [OVERDUE]: 3, ok: 1 });
  count = 0;
  await minutes(1);
  const open = 'WorkflowType = "prepareLiveMigration" AND CloseTime IS NULL';
  expect(queries).toEqual([
    `${open} AND StartTime < '2026-11-29T10:00:00.000Z'`,
    `${open} AND StartTime < '2026-11-29T10:01:00.000Z'`,
  ]);
  expect(metrics).toEqual({ [OVERDUE]: 0, ok: 2 });
  expect(warnings).toEqual([]);
});

/** Watches a server that refuses to count while `refusal.isOn`. */
function watchRefusing() {
  const refusal = { isOn: false };
  const watching = watch(() => {
    if (refusal.isOn) throw new Error('PERMISSION_DENIED');
    return 1;
  });
  return { refusal, ...watching };
}

it('a server that refuses is reported once, and the metric stays as it was', async () => {
  const { refusal, metrics, warnings, minutes } = watchRefusing();
  await minutes(0);
  refusal.isOn = true;
  await minutes(3);
  const message = expect.stringMatching(
    /^overdue runs cannot be counted, .*: the error says why; the worker/,
  );
  const meta = { error: { message: 'PERMISSION_DENIED' } };
  expect(warnings).toMatchObject([{ level: 'WARN', message, meta }]);
  expect(metrics).toEqual({ [OVERDUE]: 1, ok: 1, failed: 3 });
});

it('a server that refuses is reported again once it has counted in between', async () => {
  const { refusal, warnings, minutes } = watchRefusing();
  for (const isOn of [true, false, true]) {
    refusal.isOn = isOn;
    await minutes(1);
  }
  expect(warnings).toHaveLength(2);
});

it.each([
  ['counts', false],
  ['refuses', true],
])('a server that %s is not asked again after the worker has ended', async (_what, isOn) => {
  const { refusal, queries, close, minutes } = watchRefusing();
  refusal.isOn = isOn;
  await minutes(1);
  const checks = queries.length;
  close();
  await minutes(1);
  expect(queries).toHaveLength(checks);
});

it('a count that the end of the worker interrupts is not a failure', async () => {
  let checks = 0;
  const { metrics, warnings, close, minutes } = watch(() => {
    checks += 1;
    if (checks === 1) return 0;
    close();
    throw new Error('closed');
  });
  await minutes(1);
  expect(checks).toBe(2);
  expect(metrics).not.toHaveProperty('failed');
  expect(warnings).toEqual([]);
});
