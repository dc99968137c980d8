import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import { DefaultLogger, Runtime, Worker } from '@temporalio/worker';
import { startTimeSkippingTemporal } from '../../dev/time-skipping-temporal';
import { createAccess } from '../../src/access';
import { createActivities } from '../../src/activities';
import { createAtlas } from '../../src/atlas/client';
import { loadConfig } from '../../src/config';
import { WORKFLOW_TYPES, workflowIdFor, type PrepareRequest } from '../../src/contract/names';
import { attemptPlans } from '../../src/plans';
import { makeKey } from '../../src/sealing';
import { credentialEnv, type TestAtlas } from '../support/atlas';
import { cleanUpLater } from '../support/clean-up';
import type { Handle } from '../support/deployment';
import { endingOf } from '../support/ending';
import { newOrgId } from '../support/ids';
import { startAtlas } from '../support/setting';

jest.setTimeout(120_000);

const MINUTE_MS = 60_000;
const TASK_QUEUE = 'timing';
const on = 'linkTokens';

let atlas: TestAtlas;
let temporal: TestWorkflowEnvironment;

/** A worker in this process, on the server where an hour takes no time, with all settings at their defaults. */
beforeAll(async () => {
  Runtime.install({ logger: new DefaultLogger('ERROR', () => undefined) });
  atlas = await startAtlas();
  const folder = mkdtempSync(path.join(os.tmpdir(), 'live-migration-prep-timing-'));
  cleanUpLater(() => rmSync(folder, { recursive: true, force: true }));
  mkdirSync(path.join(folder, 'tokens'));
  const configFile = path.join(folder, 'live-migration-prep.yaml');
  writeFileSync(configFile, 'sinks:\n  files: {type: file, directory: tokens}\n');
  const config = loadConfig(
    {
      ...credentialEnv(atlas.account, 'serviceAccount'),
      MONGODB_ATLAS_BASE_URL: atlas.url,
      LIVE_MIGRATION_PREP_SEALING_KEYS: JSON.stringify({ keys: [makeKey(new Date())] }),
    },
    configFile,
  );
  const client = createAtlas(config.atlas);
  cleanUpLater(() => client.close());
  const sinks = await Promise.all(
    [...config.sinks].map(async ([name, make]) => [name, await make()] as const),
  );

  temporal = await startTimeSkippingTemporal();
  cleanUpLater(() => temporal.teardown());
  const worker = await Worker.create({
    connection: temporal.nativeConnection,
    taskQueue: TASK_QUEUE,
    workflowBundle: { codePath: path.join(__dirname, '../../dist/workflow-bundle.js') },
    activities: createActivities({
      atlas: client,
      sealing: config.sealing,
      sinks: new Map(sinks),
      access: createAccess(null, ['default'], ['files']),
      plans: attemptPlans(config),
    }),
  });
  const running = worker.run();
  cleanUpLater(async () => {
    worker.shutdown();
    await running;
  });
}, 60_000);
beforeEach(() => atlas.clearFaults());

async function run() {
  const request: PrepareRequest = {
    orgId: atlas.account.orgId,
    sourceOrgId: newOrgId(),
    accessListIps: [],
    sink: 'files',
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
  };
}

describe('with the default settings', () => {
  it('gives up after an hour, with the last reason', async () => {
    atlas.faults({ on, status: 429, times: 10_000 });
    const { type, message, tookMs, posts, unconfirmedTokens } = await run();
    expect(type).toBe('AtlasUnavailable');
    expect(message).toContain('Atlas answered 429 RATE_LIMITED');
    expect(unconfirmedTokens).toBe(0);
    expect(tookMs).toBeGreaterThan(55 * MINUTE_MS);
    expect(tookMs).toBeLessThan(62 * MINUTE_MS);
    // Between 30 s and 60 s apart once the backoff has grown.
    expect(posts).toBeGreaterThan(60);
    expect(posts).toBeLessThan(140);
  });

  it.each([429, 503])('%i with a Retry-After of 10 minutes: delivered after it', async (status) => {
    atlas.faults({ on, status, headers: { 'Retry-After': '600' } });
    const { type, tookMs, posts } = await run();
    expect({ type, posts }).toEqual({ type: 'delivered', posts: 2 });
    expect(tookMs).toBeGreaterThanOrEqual(10 * MINUTE_MS);
    expect(tookMs).toBeLessThan(12 * MINUTE_MS);
  });
});
