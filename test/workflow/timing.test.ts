import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { startTimeSkippingTemporal } from '../../dev/temporal/embedded-temporal';
import { loadConfig } from '../../src/config';
import { makeKey } from '../../src/secrets/sealing';
import { retryPolicies } from '../../src/worker/retry-policies';
import { cleanUpLater, newFolder } from '../support/clean-up';
import { endingOf, scheduleTimes } from '../support/runs';
import {
  notCreated,
  sinkRejects,
  sinkUnavailable,
  unconfirmed,
  type Creation,
  type Delivery,
} from './attempts';
import { silenceRuntime, startScriptedWorker, type Script, type ScriptedWorker } from './scripted-worker';

const MINUTE_MS = 60_000;

let worker: ScriptedWorker;

/** Runs on the server where an hour takes no time, with all settings at their defaults. */
beforeAll(async () => {
  silenceRuntime();
  const temporal = await startTimeSkippingTemporal();
  cleanUpLater(() => temporal.teardown());
  worker = await startScriptedWorker(temporal, defaultPlans());
});

function defaultPlans() {
  const configFile = path.join(newFolder(), 'live-migration-prep.yaml');
  writeFileSync(configFile, 'sinks:\n  files: {type: file, directory: tokens}\n');
  const env = {
    MONGODB_ATLAS_CLIENT_ID: 'id',
    MONGODB_ATLAS_CLIENT_SECRET: 'secret',
    LIVE_MIGRATION_PREP_SEALING_KEYS: JSON.stringify({ keys: [makeKey(new Date())] }),
  };
  return retryPolicies(loadConfig(env, configFile));
}

async function run(script: Script) {
  const { handle, calls } = await worker.start(script);
  const ending = await endingOf(handle);
  // The server's clock goes on skipping after the end, so it is the run's own times that count.
  const { startTime, closeTime } = await handle.describe();
  return {
    ...ending,
    ...calls,
    tookMs: (closeTime?.getTime() ?? Infinity) - startTime.getTime(),
    deliveryTimes: await scheduleTimes(handle, 'deliverLinkToken'),
  };
}

describe('with the default settings creation', () => {
  it.each([
    ['429, which Temporal retries', notCreated(), 0],
    ['503, after which the workflow counts and waits', unconfirmed(), 1],
  ])('gives up after an hour of %s, with the last reason', async (_what, failure, countedPerAttempt) => {
    const { type, message, tookMs, creations, unconfirmedTokens } = await run({
      create: Array<Creation>(1000).fill(failure),
    });
    expect({ type, unconfirmedTokens }).toEqual({
      type: 'AtlasUnavailable',
      unconfirmedTokens: countedPerAttempt * creations,
    });
    expect(message).toMatch(/^gave up: the retry deadline .*; last error: Atlas returned (429|503)/);
    expect(tookMs).toBeGreaterThan(55 * MINUTE_MS);
    // Schedule-to-close leaves room for one attempt, which the default settings let take 130 s.
    expect(tookMs).toBeLessThan(63 * MINUTE_MS);
    // Between 30 s and 60 s apart once the backoff has grown.
    expect(creations).toBeGreaterThan(60);
    expect(creations).toBeLessThan(140);
  });

  it.each([
    [429, notCreated(10 * MINUTE_MS)],
    [503, unconfirmed(10 * MINUTE_MS)],
  ])('waits for a Retry-After of 10 minutes with %i, and then creates', async (_status, failure) => {
    const { type, tookMs, creations } = await run({ create: [failure] });
    expect({ type, creations }).toEqual({ type: 'delivered', creations: 2 });
    expect(tookMs).toBeGreaterThanOrEqual(10 * MINUTE_MS);
    expect(tookMs).toBeLessThan(12 * MINUTE_MS);
  });
});

describe('with the default settings delivery', () => {
  it('pauses after each round, a minute at first, then twice as long, up to 6 hours', async () => {
    const { type, deliveryTimes } = await run({ deliver: Array<Delivery>(10).fill(sinkRejects) });
    expect(type).toBe('delivered');
    const pauses = deliveryTimes.slice(1).map((time, i) => (time - (deliveryTimes[i] ?? 0)) / MINUTE_MS);
    expect(pauses).toHaveLength(10);
    [1, 2, 4, 8, 16, 32, 64, 128, 256, 360].forEach((minutes, i) => {
      // Jitter takes up to a fifth, and a minute is for the attempt itself.
      expect(pauses[i]).toBeGreaterThanOrEqual(0.8 * minutes);
      expect(pauses[i]).toBeLessThan(minutes + 1);
    });
  });

  it('tries for 2 minutes in a round', async () => {
    const { type, deliveryTimes } = await run({ deliver: Array<Delivery>(40).fill(sinkUnavailable()) });
    expect(type).toBe('delivered');
    const [first = 0, second = 0] = deliveryTimes;
    // The round, without the delay that would pass its end, and a pause of about a minute.
    expect(second - first).toBeGreaterThan(1.8 * MINUTE_MS);
    // This server says of a retried attempt when the one before failed, so a round may have one more delay.
    expect(second - first).toBeLessThan(4 * MINUTE_MS);
  });

  it('pauses no less than the sink requested', async () => {
    const { type, deliveryTimes } = await run({ deliver: [sinkUnavailable(120 * MINUTE_MS)] });
    expect(type).toBe('delivered');
    const [first = 0, second = 0] = deliveryTimes;
    expect(deliveryTimes).toHaveLength(2);
    expect(second - first).toBeGreaterThanOrEqual(120 * MINUTE_MS);
    expect(second - first).toBeLessThan(130 * MINUTE_MS);
  });
});
