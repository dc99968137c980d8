import { existsSync } from 'node:fs';
import path from 'node:path';
import type { Fault } from '../../../dev/atlas-emulator';
import { startAtlas } from '../../support/atlas';
import { eventually } from '../../support/eventually';
import { deploy } from '../../support/installation';
import { startOwnOrganizations, type OwnRun } from '../../support/organizations';
import { replay } from '../../support/replay';
import { endingOf, startAndAwait, untilBackOff } from '../../support/runs';
import { startScheduled } from '../../support/schedules';
import { sharedTemporal, temporalCli } from '../../support/temporal';

const on = 'linkTokens';
const LONG_MS = 120_000;
const createsAndHangs: Fault = { on, delayMs: LONG_MS, afterCreating: true };
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

it('runs whose worker is killed after Atlas created a token count it, and deliver another', async () => {
  const own = await startOwnOrganizations({ config: TIMEOUTS });
  const start = (fault: Fault) => own.start(own.newRequest(), fault);
  const expectCounted = async ({ request, handle }: OwnRun) => {
    expect(await endingOf(handle)).toMatchObject({ type: 'delivered', unconfirmedTokens: 1 });
    expect(own.atlas.created(request)).toBe(2);
  };
  const [plain, reset, paused, waiting] = await Promise.all([
    start(createsAndHangs),
    start(createsAndHangs),
    start(createsAndHangs),
    start(tooManyRequests),
  ]);
  await operate(reset, 'reset');
  await operate(paused, 'pause');
  await untilBackOff(waiting.handle);
  const checked = own.newRequest();
  own.setFaults(checked, { on: 'availableProjects', delayMs: LONG_MS });
  const scheduled = await startScheduled(own.deployment.taskQueue, { request: checked });
  await own.untilMet(checked);
  await own.worker.kill();

  const next = await own.deployment.startWorker();
  const { createdAt: lastTokenAt } = await (await own.deployment.start(checked)).result();
  // The server does not time out an activity that is paused.
  await operate(paused, 'unpause');
  for (const run of [plain, reset, paused]) await expectCounted(run);
  expect(await scheduled.result()).toEqual({ outcome: 'recentToken', lastTokenAt, receipt: null });

  // The circuit breaker of this worker does not know of the 429.
  own.setFaults(waiting.request, createsAndHangs);
  await operate(waiting, 'reset');
  await own.untilMet(waiting.request);
  await next.kill();
  await own.deployment.startWorker();
  await expectCounted(waiting);
});

it.concurrent('first contact whose worker is killed during validation: one token; it replays', async () => {
  const atlas = await startAtlas();
  const deployment = await deploy({ atlas });
  const began = path.join(deployment.folder, 'validation-began');
  const worker = await deployment.startWorker({
    NODE_OPTIONS: `--require ${path.join(__dirname, '../../support/stalled-validation.cjs')}`,
    STALLED_VALIDATION: began,
  });
  const request = deployment.newRequest();
  const outcome = startAndAwait(deployment, request);
  await eventually('validation', () => existsSync(began));
  await worker.kill();
  await deployment.startWorker();
  const { receipt } = await outcome;
  expect(await endingOf(deployment.handleOf(request))).toMatchObject({ type: 'delivered', receipt });
  expect(atlas.created(request)).toBe(1);
  await replay(await deployment.handleOf(request).fetchHistory());
});
