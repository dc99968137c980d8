import type { Handle } from '../../support/deployment';
import { pendingActivity } from '../../support/ending';
import { eventually } from '../../support/eventually';
import { sharedTemporal, startSetting } from '../../support/setting';

const RUNS = 40;
const PROBES = 5;
const PROBE_INTERVAL_MS = 500;

/** What ended each attempt of a run that may have created a token: the others were retried by Temporal. */
async function creationFailures(handle: Handle): Promise<string[]> {
  const { events } = await handle.fetchHistory();
  return (events ?? []).flatMap(
    ({ activityTaskFailedEventAttributes: failed, activityTaskTimedOutEventAttributes: timedOut }) =>
      (failed ?? timedOut) ? [(failed ?? timedOut)?.failure?.message ?? ''] : [],
  );
}

test(`an outage with ${RUNS} runs in flight leaves one unconfirmed token for each and one for each probe; afterwards all are delivered`, async () => {
  const { atlas, deployment } = await startSetting({
    config: {
      // So that an attempt that waits for this machine does not count as lost.
      atlas: { requestTimeoutMs: 60_000 },
      worker: { maxConcurrentActivities: RUNS, heartbeatTimeoutMs: 60_000 },
      retries: {
        create: { initialIntervalMs: 2 * PROBE_INTERVAL_MS, maximumIntervalMs: 2 * PROBE_INTERVAL_MS },
      },
    },
  });
  atlas.faults({ on: 'linkTokens', probability: 1, status: 503 });
  const handles: Handle[] = await Promise.all(Array.from({ length: RUNS }, () => deployment.start()));

  const { client } = await sharedTemporal();
  const first = () => Date.parse(atlas.posts()[0]?.startedAt ?? '');
  const probes = () =>
    atlas.posts().filter(({ startedAt }) => Date.parse(startedAt) >= first() + PROBE_INTERVAL_MS).length;
  await eventually('a failure that says until when no request is sent', async () => {
    const pending = await Promise.all(handles.map(({ workflowId }) => pendingActivity(client, workflowId)));
    return pending.some((activity) =>
      /^not sent: .* credential default until \d{4}-\S+Z; last error: Atlas returned 503/.test(
        activity?.lastFailure ?? '',
      ),
    );
  });
  await eventually('probes', () => probes() >= PROBES);
  atlas.clearFaults();
  const receipts = await Promise.all(handles.map((handle) => handle.result()));

  const failed = atlas.posts().filter(({ status }) => status === 503);
  const times = failed.map(({ startedAt }) => Date.parse(startedAt));
  const intervals = Math.floor((Math.max(...times) - Math.min(...times)) / PROBE_INTERVAL_MS);
  const unconfirmed = receipts.reduce((sum, { unconfirmedTokens }) => sum + unconfirmedTokens, 0);
  const failures = await Promise.all(handles.map(creationFailures));
  expect(failures.flat().filter((message) => !message.startsWith('Atlas returned 503'))).toEqual([]);
  expect(unconfirmed).toBe(failed.length);
  expect(unconfirmed).toBeLessThanOrEqual(RUNS + intervals);
  expect(atlas.createdTokens()).toHaveLength(RUNS);
  expect(deployment.tokenFiles()).toHaveLength(RUNS);
});
