import { writeFileSync } from 'node:fs';
import path from 'node:path';
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import { DefaultLogger, Runtime, Worker } from '@temporalio/worker';
import { startTimeSkippingTemporal } from '../../../dev/temporal/embedded-temporal';
import { createActivities } from '../../../src/activities';
import { createAdminApi, type AdminApi } from '../../../src/atlas/admin-api';
import { loadConfig } from '../../../src/config';
import { createOrganizations } from '../../../src/config/organizations';
import { WORKFLOW_TYPES, workflowIdFor } from '../../../src/contract/names';
import type { PrepareRequest } from '../../../src/contract/schemas';
import { makeKey } from '../../../src/sealing';
import { SinkRejectedError, SinkUnavailableError, type Sink } from '../../../src/sinks/sink';
import { retryPlans } from '../../../src/worker/retry-plans';
import { credentialEnv, type TestAtlas } from '../../support/atlas';
import { cleanUpLater, newFolder } from '../../support/clean-up';
import type { Handle } from '../../support/deployment';
import { endingOf } from '../../support/ending';
import { scheduleTimes } from '../../support/history';
import { newOrgId } from '../../support/ids';
import { startAtlas } from '../../support/setting';

const MINUTE_MS = 60_000;
const TASK_QUEUE = 'timing';
const on = 'linkTokens';

let atlas: TestAtlas;
let temporal: TestWorkflowEnvironment;
/** How the sink responds next; it accepts when nothing is left. */
let sinkErrors: Error[] = [];

const sink: Sink = {
  deliver() {
    const error = sinkErrors.shift();
    return error ? Promise.reject(error) : Promise.resolve('a test');
  },
};

/** A worker in this process, on the server where an hour takes no time, with all settings at their defaults. */
beforeAll(async () => {
  Runtime.install({ logger: new DefaultLogger('ERROR', () => undefined) });
  atlas = await startAtlas();
  const folder = newFolder();
  const configFile = path.join(folder, 'live-migration-prep.yaml');
  writeFileSync(configFile, 'sinks:\n  unused: {type: file, directory: tokens}\n');
  const config = loadConfig(
    {
      ...credentialEnv(atlas.account, 'serviceAccount'),
      MONGODB_ATLAS_BASE_URL: atlas.url,
      LIVE_MIGRATION_PREP_SEALING_KEYS: JSON.stringify({ keys: [makeKey(new Date())] }),
    },
    configFile,
  );
  const newAdminApi = () => createAdminApi({ ...config.atlas, backoff: config.retries.create });
  const adminApi: AdminApi = {
    ...newAdminApi(),
    // A circuit breaker waits by the clock of this process, which the server does not skip: each attempt has a new one.
    createLinkToken(...args) {
      const api = newAdminApi();
      return api.createLinkToken(...args).finally(() => api.close());
    },
  };
  cleanUpLater(() => adminApi.close());
  const sinks = new Map([['test', sink]]);

  temporal = await startTimeSkippingTemporal();
  cleanUpLater(() => temporal.teardown());
  const worker = await Worker.create({
    connection: temporal.nativeConnection,
    taskQueue: TASK_QUEUE,
    workflowBundle: { codePath: path.join(__dirname, '../../../dist/workflow-bundle.js') },
    activities: createActivities({
      atlas: adminApi,
      sealer: config.sealing,
      sinks,
      organizations: createOrganizations({ ...config.atlas, sinks }),
      ...config.schedules,
      plans: retryPlans(config),
    }),
  });
  const running = worker.run();
  cleanUpLater(async () => {
    worker.shutdown();
    await running;
  });
});
beforeEach(() => {
  atlas.clearFaults();
  sinkErrors = [];
});

async function run() {
  const request: PrepareRequest = {
    orgId: atlas.account.orgId,
    sourceOrgId: newOrgId(),
    accessListIps: [],
    sink: 'test',
    // The time-skipping server has no list of runs.
    again: true,
  };
  const postsBefore = atlas.posts().length;
  const handle = (await temporal.client.workflow.start(WORKFLOW_TYPES.prepare, {
    workflowId: workflowIdFor(request.orgId, request.sourceOrgId),
    taskQueue: TASK_QUEUE,
    args: [request],
  })) as Handle;
  const ending = await endingOf(handle);
  // The server's clock goes on skipping after the end, so it is the run's own times that count.
  const { startTime, closeTime } = await handle.describe();
  return {
    ...ending,
    tookMs: (closeTime?.getTime() ?? Infinity) - startTime.getTime(),
    posts: atlas.posts().length - postsBefore,
    deliveryTimes: await scheduleTimes(handle, 'deliverLinkToken'),
  };
}

describe('with the default settings creation', () => {
  it.each([
    ['429, which Temporal retries', 429, 0],
    ['503, after which the workflow counts and waits', 503, 1],
  ])('gives up after an hour of %s, with the last reason', async (_what, status, countedPerPost) => {
    atlas.faults({ on, status, times: 10_000 });
    const { type, message, tookMs, posts, unconfirmedTokens } = await run();
    expect({ type, unconfirmedTokens }).toEqual({
      type: 'AtlasUnavailable',
      unconfirmedTokens: countedPerPost * posts,
    });
    expect(message).toMatch(
      new RegExp(`^gave up: the retry deadline .*; last error: Atlas returned ${status}`),
    );
    expect(tookMs).toBeGreaterThan(55 * MINUTE_MS);
    // Schedule-to-close leaves room for one attempt, which the default settings let take 130 s.
    expect(tookMs).toBeLessThan(63 * MINUTE_MS);
    // Between 30 s and 60 s apart once the backoff has grown.
    expect(posts).toBeGreaterThan(60);
    expect(posts).toBeLessThan(140);
  });

  it.each([429, 503])('waits for a Retry-After of 10 minutes with %i, and then creates', async (status) => {
    atlas.faults({ on, status, headers: { 'Retry-After': '600' } });
    const { type, tookMs, posts } = await run();
    expect({ type, posts }).toEqual({ type: 'delivered', posts: 2 });
    expect(tookMs).toBeGreaterThanOrEqual(10 * MINUTE_MS);
    expect(tookMs).toBeLessThan(12 * MINUTE_MS);
  });
});

describe('with the default settings delivery', () => {
  it('pauses after each round, a minute at first, then twice as long, up to 6 hours', async () => {
    sinkErrors = Array.from({ length: 10 }, () => new SinkRejectedError('no'));
    const { type, deliveryTimes } = await run();
    expect(type).toBe('delivered');
    const pauses = deliveryTimes.slice(1).map((time, i) => (time - (deliveryTimes[i] ?? 0)) / MINUTE_MS);
    expect(pauses).toHaveLength(10);
    [1, 2, 4, 8, 16, 32, 64, 128, 256, 360].forEach((minutes, i) => {
      // Jitter takes up to a fifth, and a minute is for the attempt itself.
      expect(pauses[i]).toBeGreaterThanOrEqual(0.8 * minutes);
      expect(pauses[i]).toBeLessThan(minutes + 1);
    });
  });

  it('tries for minutes in a round, and then pauses no less than the sink asked for', async () => {
    const down = new SinkUnavailableError('down');
    const later = new SinkUnavailableError('later', 120 * MINUTE_MS);
    // A round has 12 to 20 attempts, by its jitter; the last error comes in the second.
    sinkErrors = [...Array.from({ length: 20 }, () => down), later];
    const { type, deliveryTimes } = await run();
    expect(type).toBe('delivered');
    const [first = 0, second = 0, third = 0] = deliveryTimes;
    expect(deliveryTimes).toHaveLength(3);
    // A round of 2 minutes, which here the server ends an attempt of 5 minutes later, since its clock is ahead of the
    // worker's; and a pause of about a minute.
    expect(second - first).toBeGreaterThan(6.5 * MINUTE_MS);
    expect(second - first).toBeLessThan(9 * MINUTE_MS);
    expect(third - second).toBeGreaterThanOrEqual(120 * MINUTE_MS);
  });
});
