import type { Client } from '@temporalio/client';
import { noopMetricMeter } from '@temporalio/common';
import { DefaultLogger, type LogEntry } from '@temporalio/worker';
import { watchUndelivered } from '../../../src/worker/metrics-undelivered';

it('a server that refuses to list runs is reported once, and nothing ends', async () => {
  const client = {
    withDeadline: () => Promise.reject(new Error('PERMISSION_DENIED')),
  } as unknown as Client;
  const lines: LogEntry[] = [];
  const logger = new DefaultLogger('INFO', (line) => lines.push(line));
  jest.useFakeTimers();
  const watch = watchUndelivered(client, noopMetricMeter, { taskQueue: 'any', logger });
  await jest.advanceTimersByTimeAsync(3 * 60_000);
  jest.useRealTimers();
  watch.close();
  expect(lines).toMatchObject([
    {
      level: 'WARN',
      message:
        'undelivered runs cannot be listed, so their metrics are out of date: check what the worker may do in this namespace',
      meta: { error: { message: 'PERMISSION_DENIED' } },
    },
  ]);
});
