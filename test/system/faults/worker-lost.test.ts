import { existsSync } from 'node:fs';
import path from 'node:path';
import type { Fault } from '../../../dev/atlas-emulator';
import { startAtlas } from '../../support/atlas';
import { eventually } from '../../support/eventually';
import { newAddress } from '../../support/ids';
import { deploy } from '../../support/installation';
import { createOwnOrganizations, type OwnOrganizations, type OwnRun } from '../../support/organizations';
import { replay } from '../../support/replay';
import { endingOf, startAndAwait, untilBackOff } from '../../support/runs';
import { startScheduled } from '../../support/schedules';
import { sharedTemporal, temporalCli } from '../../support/temporal';

const on = 'linkTokens';
const LONG_MS = 120_000;
const hangs: Fault = { on, delayMs: LONG_MS };
const createsAndHangs: Fault = { ...hangs, afterCreating: true };
const tooManyRequests: Fault = { on, status: 429, headers: { 'Retry-After': '600' } };
/** Long enough that only a killed worker misses a heartbeat, however busy the machine is. */
const TIMEOUTS = { atlas: { requestTimeoutMs: LONG_MS }, worker: { heartbeatTimeoutMs: 8000 } };

/** Runs `temporal activity …` on the activity under way. */
async function operate({ handle }: OwnRun, verb: 'reset' | 'pause' | 'unpause'): Promise<void> {
  const { address } = await sharedTemporal();
  const [activity] = (await handle.describe()).raw.pendingActivities ?? [];
  const target = ['--workflow-id', handle.workflowId, '--activity-id', String(activity?.activityId)];
  expect(await temporalCli(address, 'activity', verb, ...target)).toMatchObject({ code: 0 });
}

/** A run that is killed at each `yield`; it returns the tokens that the run counted, and those that Atlas created. */
type KilledRun = AsyncGenerator<void, [unconfirmedTokens: number, created: number]>;

describe('a worker is killed', () => {
  let own: OwnOrganizations;
  beforeAll(async () => {
    own = await createOwnOrganizations(TIMEOUTS);
    await own.deployment.startWorker();
  });

  async function countsOf({ request, handle }: OwnRun): Promise<[number, number]> {
    const { type, unconfirmedTokens } = await endingOf(handle);
    expect(type).toBe('delivered');
    return [unconfirmedTokens, own.created(request)];
  }

  const start = (...faults: Fault[]) => own.start(own.newRequest(), ...faults);

  async function meet({ request }: OwnRun, ...faults: Fault[]): Promise<void> {
    own.setFaults(request, ...faults);
    await own.untilMet(request);
  }

  async function* killedAfter(...faults: Fault[]): KilledRun {
    const run = await start(...faults);
    yield;
    return countsOf(run);
  }

  async function* killedBeforePost(): KilledRun {
    const run = await own.start(own.newRequest({}, 'apiKey'), { ...hangs, beforeAuthentication: true });
    yield;
    return countsOf(run);
  }

  async function* killedTwice(): KilledRun {
    const run = await start(hangs);
    yield;
    await meet(run, createsAndHangs);
    yield;
    return countsOf(run);
  }

  async function* killedBefore429(): KilledRun {
    const run = await start({ on, status: 500 }, createsAndHangs);
    yield;
    await meet(run, { on, status: 429 });
    return countsOf(run);
  }

  async function* resetInBackOff(): KilledRun {
    const run = await start(tooManyRequests);
    await untilBackOff(run.handle);
    // The circuit breaker of the next worker does not know of the 429.
    yield;
    own.setFaults(run.request, createsAndHangs);
    await operate(run, 'reset');
    await own.untilMet(run.request);
    yield;
    return countsOf(run);
  }

  async function* operatedDuringPost(before: 'reset' | 'pause', after?: 'unpause'): KilledRun {
    const run = await start(createsAndHangs);
    await operate(run, before);
    yield;
    // The server does not time out an activity that is paused.
    if (after) await operate(run, after);
    return countsOf(run);
  }

  async function* killedDuringCheck(): KilledRun {
    const request = own.newRequest();
    own.setFaults(request, { on: 'availableProjects', delayMs: LONG_MS });
    const scheduled = await startScheduled(own.deployment.taskQueue, { request });
    await own.untilMet(request);
    yield;
    const { createdAt: lastTokenAt } = await (await own.deployment.start(request)).result();
    expect(await scheduled.result()).toEqual({ outcome: 'recentToken', lastTokenAt, receipt: null });
    return [0, own.created(request)];
  }

  it('its runs count each token that may exist, deliver one, and create no more than they must', async () => {
    const rows: [when: string, run: KilledRun, unconfirmedTokens: number, created: number][] = [
      ['before the POST: an upper bound', killedBeforePost(), 1, 1],
      ['during the POST', killedAfter(hangs), 1, 1],
      ['after Atlas created a token, before its response', killedAfter(createsAndHangs), 1, 2],
      ['in two attempts', killedTwice(), 2, 2],
      ['after a 500, and before a 429', killedBefore429(), 2, 2],
      ['after a 429, `temporal activity reset` in back-off, and a token', resetInBackOff(), 1, 2],
      ['after `activity reset` during the POST, and a token', operatedDuringPost('reset'), 1, 2],
      ['after `activity pause`, and a token, then unpaused', operatedDuringPost('pause', 'unpause'), 1, 2],
      ['while a schedule checks the link, and one is delivered on demand', killedDuringCheck(), 0, 1],
    ];
    const counts = new Map<string, number[]>();
    // One kill serves all runs that wait for one. The others have ended: it would cost them one more attempt.
    for (let open = rows; open.length > 0; open = open.filter(([when]) => !counts.has(when))) {
      if (open !== rows) {
        await own.deployment.workers.at(-1)?.kill();
        await own.deployment.startWorker();
      }
      const moved = open.map(async ([when, run]) => {
        const { value } = await run.next();
        if (value) counts.set(when, value);
      });
      await Promise.all(moved);
    }
    const expected = rows.map(([when, , ...tokens]) => [when, tokens] as const);
    expect(Object.fromEntries(counts)).toEqual(Object.fromEntries(expected));
  });
});

it.concurrent('first contact whose worker is killed during validation: one token; it replays', async () => {
  const atlas = await startAtlas();
  const deployment = await deploy({ atlas });
  const began = path.join(deployment.folder, 'validation-began');
  const worker = await deployment.startWorker({
    NODE_OPTIONS: `--require ${path.join(__dirname, '../../support/stalled-validation.cjs')}`,
    STALLED_VALIDATION: began,
  });
  const request = deployment.newRequest({ accessListIps: [newAddress()] });
  const outcome = startAndAwait(deployment, request);
  await eventually('validation', () => existsSync(began));
  await worker.kill();
  await deployment.startWorker();
  const { receipt } = await outcome;
  expect(await endingOf(deployment.handleOf(request))).toMatchObject({ type: 'delivered', receipt });
  expect(atlas.created(request)).toBe(1);
  await replay(await deployment.handleOf(request).fetchHistory());
});
