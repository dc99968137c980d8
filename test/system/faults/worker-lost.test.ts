import type { Fault } from '../../../dev/atlas-emulator';
import { freePort } from '../../../dev/temporal/free-port';
import type { PrepareRequest } from '../../../src/contract/schemas';
import { readRun } from '../../../src/temporal/run-history';
import { atOnce } from '../../support/at-once';
import { newAccount, startTestAtlas } from '../../support/atlas';
import { cleanUpLater } from '../../support/clean-up';
import { FILE_SINKS, type Handle } from '../../support/deployment';
import { endingOf, expectCounted, pendingActivity, untilBackOff } from '../../support/ending';
import { eventually } from '../../support/eventually';
import { newAddress } from '../../support/ids';
import { sharedTemporal, startInstallation } from '../../support/installation';
import { temporalCli } from '../../support/temporal-cli';
import { redeliver } from '../../support/updates';
import { startWebhookReceiver } from '../../support/webhook-receiver';
import type { WorkerProcess } from '../../support/worker-process';

/**
 * The server notices a killed or frozen worker by its heartbeats, and then by a workflow task that it does not take, for
 * ten seconds or twenty.
 */
const on = 'linkTokens';
const LONG_MS = 120_000;
/** Atlas creates a token and does not respond. */
const createsAndHangs: Fault = { on, delayMs: LONG_MS, afterCreating: true };
/** So that only a killed or frozen worker misses a heartbeat, however busy the machine is. */
const timeouts = { atlas: { requestTimeoutMs: LONG_MS }, worker: { heartbeatTimeoutMs: 8000 } };

interface Run {
  request: PrepareRequest;
  handle: Handle;
}

async function setScene(options: Parameters<typeof startTestAtlas>[0] = {}) {
  const receiver = await startWebhookReceiver();
  const { atlas, deployment } = await startInstallation({
    atlas: options,
    env: receiver.env,
    config: { ...timeouts, sinks: { ...FILE_SINKS, hangs: receiver.sink('hangs') } },
  });

  /** Waits until a run has met each fault. */
  async function meet(...faults: Fault[]): Promise<void> {
    atlas.faults(faults);
    await eventually('the faults', () => atlas.state().faults.length === 0);
  }
  return {
    atlas,
    receiver,
    deployment,
    meet,
    async start(...faults: Fault[]): Promise<Run> {
      const request = deployment.newRequest({ accessListIps: [newAddress()] });
      const met = meet(...faults);
      const handle = await deployment.start(request);
      await met;
      return { request, handle };
    },
    async replaceWorker() {
      await deployment.workers.at(-1)?.kill();
      await deployment.startWorker();
    },
  };
}

type Scene = Awaited<ReturnType<typeof setScene>>;

let scene: Scene;
beforeAll(async () => {
  scene = await setScene();
});

/** A run whose worker is frozen from before the response that brings a token until the server has given up the attempt. */
async function freezeDuringPost(worker: WorkerProcess) {
  const { atlas } = scene;
  const { request, handle } = await scene.start({ on, delayMs: 2000, afterCreating: true });
  await eventually('a token', () => atlas.created(request) === 1);
  process.kill(worker.pid, 'SIGSTOP');
  await eventually('a missed heartbeat', async () => (await pendingActivity(handle)) === null);
  return {
    handle,
    expectUnconfirmed: async (unconfirmedTokens: number) => {
      const ending = await endingOf(handle);
      expect(ending).toMatchObject({ type: 'delivered', unconfirmedTokens });
      const { memo, runId } = await handle.describe();
      expect(memo).toMatchObject({ unconfirmedTokens });
      const { client } = await sharedTemporal();
      const { unconfirmedAttempts } = await readRun(client, { workflowId: handle.workflowId, runId });
      expect(unconfirmedAttempts).toHaveLength(unconfirmedTokens);
      expect(atlas.created(request)).toBe(unconfirmedTokens + 1);
    },
  };
}

/** Runs `temporal activity …` on the activity under way. */
async function operate({ handle }: Run, verb: 'reset' | 'pause' | 'unpause', ...options: string[]) {
  const { address } = await sharedTemporal();
  const [activity] = (await handle.describe()).raw.pendingActivities ?? [];
  const target = ['--workflow-id', handle.workflowId, '--activity-id', String(activity?.activityId)];
  const exit = await temporalCli(address, 'activity', verb, ...target, ...options);
  expect(exit).toMatchObject({ code: 0 });
}

describe('a worker is', () => {
  let runs: Record<string, Run>;

  atOnce({
    async 'killed, and there are a 500, a 429 and a refused connection besides: two'() {
      const options = { account: newAccount(), port: await freePort() };
      const own = await setScene(options);
      const { request, handle } = await own.start({ on, status: 500 }, createsAndHangs);
      const met = own.meet({ on, status: 429, headers: { 'Retry-After': '3' } });
      await own.replaceWorker();
      await met;
      const createdBefore = own.atlas.created(request);
      await own.atlas.close();
      await eventually('a refused connection', async () =>
        (await pendingActivity(handle))?.lastFailure?.includes('ECONNREFUSED'),
      );
      const restarted = await startTestAtlas(options);
      cleanUpLater(() => restarted.close());
      const ending = await endingOf(handle);
      expect(ending).toMatchObject({ type: 'delivered', unconfirmedTokens: 2 });
      expect([createdBefore, restarted.created(request)]).toEqual([1, 1]);
    },
  });

  beforeAll(async () => {
    const start: Scene['start'] = (...args) => scene.start(...args);
    const meet: Scene['meet'] = (...args) => scene.meet(...args);
    const replaceWorker = () => scene.replaceWorker();
    /** The requests are under way together, since the first 429 stops those that come after it. */
    const tooManyRequests: Fault = { on, status: 429, headers: { 'Retry-After': '600' }, delayMs: 4000 };
    const resetInBackOff = async (run: Run, ...options: string[]) => {
      const met = meet(createsAndHangs);
      await operate(run, 'reset', ...options);
      await met;
    };
    const operateDuringPost = async (verb: 'reset' | 'pause') => {
      const run = await start(createsAndHangs);
      await operate(run, verb);
      return run;
    };
    const twice = await start({ on, delayMs: LONG_MS });
    const reset = await start(tooManyRequests);
    const cleared = await start(tooManyRequests);
    await Promise.all([reset, cleared].map(({ handle }) => untilBackOff(handle)));
    const met = meet(createsAndHangs);
    // The circuit breaker of the next worker does not know of the 429.
    await replaceWorker();
    await met;
    await resetInBackOff(reset);
    await resetInBackOff(cleared, '--clear-heartbeat-details');
    const during = await start({ on, delayMs: LONG_MS });
    const after = await start(createsAndHangs);
    const resetDuring = await operateDuringPost('reset');
    const unpaused = await operateDuringPost('pause');
    const pausedAndReset = await operateDuringPost('pause');
    // Last, since the others need an access token.
    scene.atlas.expire('accessTokens');
    const before = await start({ on: 'oauth', delayMs: LONG_MS });
    runs = { before, during, after, twice, reset, cleared, resetDuring, unpaused, pausedAndReset };
    await replaceWorker();
  });

  async function expectUnconfirmed(unconfirmedTokens: number, { handle, request }: Run, created: number) {
    const ending = await endingOf(handle);
    expect(ending).toMatchObject({ type: 'delivered', unconfirmedTokens });
    expect(scene.atlas.created(request)).toBe(created);
    expectCounted(ending, created);
  }

  it.each([
    ['killed before the POST: one, an upper bound', 'before', 1, 1],
    ['killed during the POST: one', 'during', 1, 1],
    ['killed after Atlas created a token, before its response: one', 'after', 1, 2],
    ['killed in two attempts: two', 'twice', 2, 2],
    ['killed after a 429, `temporal activity reset` in back-off, and a token: one', 'reset', 1, 2],
    ['the same with --clear-heartbeat-details: one', 'cleared', 1, 2],
    ['killed after `temporal activity reset` during the POST, and a token: one', 'resetDuring', 1, 2],
  ])('%s', (_when, name, count, created) => expectUnconfirmed(count, runs[name] as Run, created));

  // The server does not time out an activity that is paused.
  it.each([
    ['then unpaused', 'unpaused', 'unpause'],
    ['then reset', 'pausedAndReset', 'reset'],
  ] as const)(
    'killed after `temporal activity pause` during the POST, and a token, %s: one',
    async (_then, name, verb) => {
      const run = runs[name] as Run;
      await operate(run, verb);
      await expectUnconfirmed(1, run, 2);
    },
  );
});

describe('a worker is frozen', () => {
  let worker: WorkerProcess;
  beforeAll(() => {
    worker = scene.deployment.workers.at(-1) as WorkerProcess;
  });

  const goOn = () => process.kill(worker.pid, 'SIGCONT');

  it('while a delivery succeeds and a redelivery to another sink comes: one receipt, which its caller gets too', async () => {
    const { receiver, deployment } = scene;
    const before = deployment.tokenFiles();
    const request = deployment.newRequest({ sink: 'hangs' });
    const handle = await deployment.start(request);
    await eventually('an attempt', () => receiver.hanging(request) === 1);
    process.kill(worker.pid, 'SIGSTOP');
    receiver.release(request);
    const redelivery = redeliver(handle, { sink: 'files' });
    // The worker finds both when it goes on.
    await eventually('the Update', async () => (await handle.describe()).raw.pendingWorkflowTask);
    goOn();
    const { receipt } = await endingOf(handle);
    expect(receipt).toMatchObject({ sink: 'hangs', alsoTried: [] });
    expect(await redelivery).toMatchObject({ receipt });
    expect(receiver.stored(request)).toHaveLength(1);
    expect(deployment.tokenFiles()).toEqual(before);
  });

  it('during a POST, past its heartbeat timeout, and goes on: the token that it received is delivered', async () => {
    const { expectUnconfirmed } = await freezeDuringPost(worker);
    goOn();
    await expectUnconfirmed(0);
  });

  it('during a POST, and another worker takes over before it goes on: the token that it received is counted', async () => {
    const { handle, expectUnconfirmed } = await freezeDuringPost(worker);
    await scene.deployment.startWorker();
    await handle.result();
    goOn();
    await expectUnconfirmed(1);
  });
});
