import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { Worker } from '@temporalio/worker';
import { startTimeSkippingTemporal } from '../../dev/temporal/dev-server';
import { loadConfig } from '../../src/config';
import { addAttemptTimeouts } from '../../src/config/attempt-timeouts';
import { makeKey } from '../../src/secrets/sealing';
import { cleanUpLater, newFolder } from '../support/clean-up';
import { workflowBundle } from '../support/replay';
import { endingOf, redeliver, scheduledActivities, untilStep } from '../support/runs';
import { setUp } from '../support/set-up';
import { notCreated, sinkRejects, unconfirmed, type Creation, type Delivery } from './attempts';
import { startScriptedWorker, type Script, type ScriptedRun } from './scripted-worker';

const MINUTE_MS = 60_000;

/** Runs on the server where an hour takes no time, with all settings at their defaults. */
const worker = setUp(async () => {
  const temporal = await startTimeSkippingTemporal();
  cleanUpLater(() => temporal.teardown());
  return startScriptedWorker(temporal, defaultRetries());
});

function defaultRetries() {
  const configFile = path.join(newFolder(), 'live-migration-prep.yaml');
  writeFileSync(configFile, 'sinks:\n  files: {type: file, directory: tokens}\n');
  const env = {
    MONGODB_ATLAS_CLIENT_ID: 'id',
    MONGODB_ATLAS_CLIENT_SECRET: 'secret',
    LIVE_MIGRATION_PREP_SEALING_KEYS: JSON.stringify({ keys: [makeKey(new Date())] }),
  };
  return addAttemptTimeouts(loadConfig(env, configFile));
}

async function run(script: Script) {
  const { handle, calls } = await worker().start(script);
  const ending = await endingOf(handle);
  await Worker.runReplayHistory({ workflowBundle }, await handle.fetchHistory());
  // The server's clock goes on skipping after the end, so it is the run's own times that count.
  const { startTime, closeTime } = await handle.describe();
  const tookMinutes = ((closeTime?.getTime() ?? Infinity) - startTime.getTime()) / MINUTE_MS;
  return { handle, ...ending, ...calls, tookMinutes };
}

/** Lists when each delivery was scheduled, in minutes. */
async function timesOfDeliveries(handle: ScriptedRun['handle']): Promise<number[]> {
  const activities = await scheduledActivities(handle);
  const deliveries = activities.filter(({ type }) => type === 'deliverLinkToken');
  return deliveries.map(({ atMs }) => atMs / MINUTE_MS);
}

function expectPauses(times: readonly number[], minutes: readonly number[]): void {
  const pauses = times.slice(1).map((time, i) => time - (times[i] ?? 0));
  expect(pauses).toHaveLength(minutes.length);
  minutes.forEach((pause, i) => {
    // Jitter takes up to a fifth, and a minute is for the attempt itself.
    expect(pauses[i]).toBeGreaterThanOrEqual(0.8 * pause);
    expect(pauses[i]).toBeLessThan(pause + 1);
  });
}

describe('with the default settings', () => {
  it.each([
    ['429, which Temporal retries', notCreated(), 0],
    ['503, after which the workflow counts and waits', unconfirmed(), 1],
  ])('creation gives up after an hour of %s', async (_what, failure, countedPerAttempt) => {
    const ending = await run({ create: Array<Creation>(1000).fill(failure) });
    const { creations, tookMinutes } = ending;
    const unconfirmedTokens = countedPerAttempt * creations;
    expect(ending).toMatchObject({ type: 'AtlasUnavailable', unconfirmedTokens });
    expect(ending.message).toMatch(
      /^gave up: the retry deadline .*; last error: Atlas returned (429|503)/,
    );
    expect(tookMinutes).toBeGreaterThan(55);
    // Schedule-to-close leaves room for one attempt, which the default settings let take 180 s.
    expect(tookMinutes).toBeLessThan(64);
    // Between 30 s and 60 s apart once the backoff has grown.
    expect(creations).toBeGreaterThan(60);
    expect(creations).toBeLessThan(140);
  });

  it.each([
    [429, notCreated(10 * MINUTE_MS)],
    [503, unconfirmed(10 * MINUTE_MS)],
  ])('creation waits 10 minutes if the Retry-After of a %i says so', async (_status, failure) => {
    const ending = await run({ create: [failure] });
    expect(ending).toMatchObject({ type: 'delivered', creations: 2 });
    expect(ending.tookMinutes).toBeGreaterThanOrEqual(10);
    expect(ending.tookMinutes).toBeLessThan(12);
  });

  it('pauses between rounds of delivery double from a minute up to 6 hours', async () => {
    const { handle } = await run({ deliver: Array<Delivery>(10).fill(sinkRejects) });
    const times = await timesOfDeliveries(handle);
    expectPauses(times, [1, 2, 4, 8, 16, 32, 64, 128, 256, 360]);
  });

  it('redeliveries that fail neither move nor lengthen the pauses between rounds', async () => {
    const { handle } = await worker().start({ deliver: Array<Delivery>(6).fill(sinkRejects) });
    await untilStep(handle, 'undelivered');
    for (let count = 0; count < 4; count += 1) await redeliver(handle);
    expect(await endingOf(handle)).toMatchObject({ type: 'delivered' });
    const [first = 0, ...others] = await timesOfDeliveries(handle);
    expectPauses([first, ...others.slice(4)], [1, 2]);
  });
});
