import { eventually } from '../../support/eventually';
import { startInstallation } from '../../support/installation';
import { pendingActivity } from '../../support/runs';

const RUNS = 20;
const PROBES = 3;
const PROBE_INTERVAL_MS = 500;

const RETRY = { initialIntervalMs: 2 * PROBE_INTERVAL_MS, maximumIntervalMs: 2 * PROBE_INTERVAL_MS };

it(`${RUNS} runs in an outage leave a token each and one for each probe, and then deliver`, async () => {
  const { atlas, deployment } = await startInstallation({ config: { retries: { create: RETRY } } });
  atlas.faults({ on: 'linkTokens', probability: 1, status: 503 });
  const handles = await Promise.all(Array.from({ length: RUNS }, () => deployment.start()));
  const failedAt = () =>
    atlas.posts().flatMap(({ status, startedAt }) => (status === 503 ? [Date.parse(startedAt)] : []));

  await eventually('a failure that says until when no request is sent', async () => {
    const pending = await Promise.all(handles.map(pendingActivity));
    return pending.some((activity) =>
      /^not sent: .* credential default until \d{4}-\S+Z, after this error: Atlas returned 503/.test(
        activity?.lastFailure ?? '',
      ),
    );
  });
  const probes = () => failedAt().filter((time, _index, [first = 0]) => time >= first + PROBE_INTERVAL_MS);
  await eventually('probes', () => probes().length >= PROBES);
  atlas.clearFaults();
  const receipts = await Promise.all(handles.map((handle) => handle.result()));

  // A server that is short of time may lose a few attempts on their way to the worker, which are counted, too.
  const ends = await Promise.all(
    handles.map(async (handle) =>
      ((await handle.fetchHistory()).events ?? []).filter(
        (event) => event.activityTaskFailedEventAttributes ?? event.activityTaskTimedOutEventAttributes,
      ),
    ),
  );
  expect(receipts.map(({ unconfirmedTokens }) => unconfirmedTokens)).toEqual(
    ends.map(({ length }) => length),
  );
  const failures = ends.flat().flatMap((event) => event.activityTaskFailedEventAttributes?.failure ?? []);
  expect(failures).toHaveLength(failedAt().length);
  const intervals = Math.floor((Math.max(...failedAt()) - Math.min(...failedAt())) / PROBE_INTERVAL_MS);
  expect(failures.length).toBeLessThanOrEqual(RUNS + intervals);
  expect(atlas.createdTokens()).toHaveLength(RUNS);
  expect(deployment.tokenFiles()).toHaveLength(RUNS);
});
