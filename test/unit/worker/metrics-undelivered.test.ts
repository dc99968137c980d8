import { defaultPayloadConverter, mapToPayloads, type MetricMeter } from '@temporalio/common';
import { DefaultLogger, type LogEntry } from '@temporalio/worker';
import { watchUndelivered } from '../../../src/worker/metrics-undelivered';
import { STATUS, clientOf, listedRun, timestamp } from '../temporal/scripted-server';

/** Makes an open run as the list has it. */
const run = (ageS: number, memo: object = {}) =>
  listedRun(`${ageS}`, {
    status: STATUS.running,
    startTime: timestamp(Date.now() - ageS * 1000),
    memo: { fields: mapToPayloads(defaultPayloadConverter, memo) },
  });
const undelivered = (ageS: number) => run(ageS, { step: 'undelivered' });

jest.mock('node:timers/promises', () => ({
  setTimeout: (ms: number, _value: unknown, { signal }: { signal: AbortSignal }) =>
    new Promise((resolve, reject) => setTimeout(() => (signal.aborted ? reject(new Error()) : resolve(null)), ms)),
}));
beforeEach(() => void jest.useFakeTimers());
afterEach(() => void jest.useRealTimers());

/** Watches a server that lists these runs, or refuses to. */
function watch(listRuns: () => object[]) {
  const metrics: Record<string, number> = {};
  const meter = {
    createGauge: (name: string) => ({ set: (value: number) => (metrics[name] = value) }),
    createCounter: () => ({
      add: (value: number, { outcome }: { outcome: string }) => (metrics[outcome] = (metrics[outcome] ?? 0) + value),
    }),
  };
  const queries: string[] = [];
  const client = clientOf({
    list({ query }) {
      queries.push(query);
      const executions = listRuns();
      // The list of many runs takes its time.
      jest.setSystemTime(Date.now() + 5000);
      return { executions };
    },
  });
  const warnings: LogEntry[] = [];
  const logger = new DefaultLogger('INFO', (line) => warnings.push(line));
  const stop = new AbortController();
  const options = { taskQueue: 'prep', logger, signal: stop.signal };
  watchUndelivered(client, meter as unknown as MetricMeter, options).catch(() => undefined);
  const minutes = (n: number) => jest.advanceTimersByTimeAsync(n * 60_000);
  return { metrics, queries, warnings, close: () => stop.abort(), minutes };
}

const [COUNT, AGE] = ['link_token_undelivered_runs', 'link_token_undelivered_oldest_run_age_seconds'];

it('the number of undelivered runs and the age of the oldest are measured at once and every minute', async () => {
  let runs = [run(900), undelivered(30), undelivered(600), undelivered(60)];
  const { metrics, queries, warnings, minutes } = watch(() => runs);
  await minutes(0);
  expect(metrics).toEqual({ [COUNT]: 3, [AGE]: 600, ok: 1 });
  expect(queries).toEqual(['WorkflowType = "prepareLiveMigration" AND TaskQueue = "prep" AND CloseTime IS NULL']);

  runs = [run(900)];
  await minutes(1);
  expect(metrics).toEqual({ [COUNT]: 0, [AGE]: 0, ok: 2 });
  expect(warnings).toEqual([]);
});

it('a server that refuses is reported once, until it has listed runs again; the metrics stay as they were', async () => {
  let refused = false;
  const { metrics, queries, warnings, close, minutes } = watch(() => {
    if (refused) throw new Error('PERMISSION_DENIED');
    return [undelivered(0)];
  });
  await minutes(0);
  refused = true;
  await minutes(3);
  const message = expect.stringMatching(/^undelivered runs cannot be listed, .*: the error says why; the worker/);
  const meta = { error: { message: 'PERMISSION_DENIED' } };
  expect(warnings).toMatchObject([{ level: 'WARN', message, meta }]);
  expect(metrics).toEqual({ [COUNT]: 1, [AGE]: 0, ok: 1, failed: 3 });

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

it('a check that the end of the worker interrupts is not a failure', async () => {
  let looks = 0;
  const { metrics, warnings, close, minutes } = watch(() => {
    looks += 1;
    if (looks === 1) return [];
    close();
    throw new Error('closed');
  });
  await minutes(1);
  expect(looks).toBe(2);
  expect(metrics).not.toHaveProperty('failed');
  expect(warnings).toEqual([]);
});
