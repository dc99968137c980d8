import { existsSync } from 'node:fs';
import path from 'node:path';
import type { Fault } from '../../../dev/atlas-emulator';
import { startAtlas } from '../../support/atlas';
import { eventually } from '../../support/eventually';
import { newAddress } from '../../support/ids';
import { deploy } from '../../support/installation';
import { createOwnOrganizations, type OwnOrganizations, type OwnRun } from '../../support/organizations';
import { replayRun } from '../../support/replay';
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
async function operate({ handle }: OwnRun, verb: 'reset' | 'pause' | 'unpause', ...options: string[]) {
  const { address } = await sharedTemporal();
  const [activity] = (await handle.describe()).raw.pendingActivities ?? [];
  const target = ['--workflow-id', handle.workflowId, '--activity-id', String(activity?.activityId)];
  expect(await temporalCli(address, 'activity', verb, ...target, ...options)).toMatchObject({ code: 0 });
}

describe('a worker is killed', () => {
  let own: OwnOrganizations;
  beforeAll(async () => {
    own = await createOwnOrganizations(TIMEOUTS);
    await own.deployment.startWorker();
  });

  /** Tests under way that may need another kill, and how those go on that wait for one. */
  let arranging = 0;
  let waiting: (() => void)[] = [];

  /** Replaces the worker once every test is ready for it, so that one kill serves all of them. */
  async function killWhenAllWait(): Promise<void> {
    if (waiting.length === 0 || waiting.length < arranging) return;
    const goOn = waiting;
    waiting = [];
    await own.deployment.workers.at(-1)?.kill();
    await own.deployment.startWorker();
    for (const resume of goOn) resume();
  }

  type Arrange<T> = (kill: () => Promise<void>) => Promise<T>;

  async function arranged<T>(arrange: Arrange<T>): Promise<T> {
    arranging += 1;
    try {
      return await arrange(() => {
        const killed = new Promise<void>((resolve) => waiting.push(resolve));
        return killWhenAllWait().then(() => killed);
      });
    } finally {
      arranging -= 1;
      void killWhenAllWait();
    }
  }

  const start = (...faults: Fault[]) => own.start(own.newRequest(), ...faults);
  const meet = async ({ request }: OwnRun, ...faults: Fault[]) => {
    own.setFaults(request, ...faults);
    await own.untilMet(request);
  };

  const killedAfter =
    (...faults: Fault[]): Arrange<OwnRun> =>
    async (kill) => {
      const run = await start(...faults);
      await kill();
      return run;
    };

  const resetInBackOff =
    (...options: string[]): Arrange<OwnRun> =>
    async (kill) => {
      const run = await start(tooManyRequests);
      await untilBackOff(run.handle);
      // The circuit breaker of the next worker does not know of the 429.
      await kill();
      own.setFaults(run.request, createsAndHangs);
      await operate(run, 'reset', ...options);
      await own.untilMet(run.request);
      await kill();
      return run;
    };

  const operatedDuringPost =
    (before: 'reset' | 'pause', after?: 'unpause' | 'reset'): Arrange<OwnRun> =>
    async (kill) => {
      const run = await start(createsAndHangs);
      await operate(run, before);
      await kill();
      // The server does not time out an activity that is paused.
      if (after) await operate(run, after);
      return run;
    };

  it.concurrent.each<[title: string, arrange: Arrange<OwnRun>, unconfirmedTokens: number, created: number]>([
    [
      'before the POST: one, an upper bound',
      async (kill) => {
        const run = await own.start(own.newRequest({}, 'apiKey'), { ...hangs, beforeAuthentication: true });
        await kill();
        return run;
      },
      1,
      1,
    ],
    ['during the POST: one', killedAfter(hangs), 1, 1],
    ['after Atlas created a token, before its response: one', killedAfter(createsAndHangs), 1, 2],
    [
      'in two attempts: two',
      async (kill) => {
        const run = await killedAfter(hangs)(kill);
        await meet(run, createsAndHangs);
        await kill();
        return run;
      },
      2,
      2,
    ],
    [
      'after a 500, and before a 429: two',
      async (kill) => {
        const run = await killedAfter({ on, status: 500 }, createsAndHangs)(kill);
        await meet(run, { on, status: 429 });
        return run;
      },
      2,
      2,
    ],
    ['after a 429, `temporal activity reset` in back-off, and a token: one', resetInBackOff(), 1, 2],
    ['the same with --clear-heartbeat-details: one', resetInBackOff('--clear-heartbeat-details'), 1, 2],
    ['after `activity reset` during the POST, and a token: one', operatedDuringPost('reset'), 1, 2],
    ['after `activity pause`, and a token, then unpaused: one', operatedDuringPost('pause', 'unpause'), 1, 2],
    ['after `activity pause`, and a token, then reset: one', operatedDuringPost('pause', 'reset'), 1, 2],
  ])('%s', async (_title, arrange, unconfirmedTokens, created) => {
    // Until the run has ended, a kill for another test would cost it one more attempt.
    const { request, ending } = await arranged(async (kill) => {
      const { request, handle } = await arrange(kill);
      return { request, ending: await endingOf(handle) };
    });
    expect(ending).toMatchObject({ type: 'delivered', unconfirmedTokens });
    expect(own.created(request)).toBe(created);
  });

  it.concurrent('while a schedule checks the link, and one is delivered on demand: recentToken', async () => {
    const request = own.newRequest();
    own.setFaults(request, { on: 'availableProjects', delayMs: LONG_MS });
    const scheduled = await startScheduled(own.deployment.taskQueue, { request });
    const { createdAt: lastTokenAt } = await arranged(async (kill) => {
      await own.untilMet(request);
      await kill();
      return (await own.deployment.start(request)).result();
    });
    expect(await scheduled.result()).toEqual({ outcome: 'recentToken', lastTokenAt, receipt: null });
    expect(own.created(request)).toBe(1);
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
  await replayRun(deployment.handleOf(request));
});
