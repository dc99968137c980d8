import { existsSync } from 'node:fs';
import path from 'node:path';
import type { Fault } from '../../../dev/atlas-emulator';
import { startAtlas } from '../../support/atlas';
import { eventually } from '../../support/eventually';
import { install } from '../../support/installation';
import { startOwnOrganizations, type OwnRun } from '../../support/organizations';
import { replay } from '../../support/replay';
import {
  endingOf,
  loseAttempts,
  operate,
  setTimeoutOf,
  startAndAwait,
  untilBackOff,
} from '../../support/runs';
import { startScheduled } from '../../support/schedules';
import { untilClosedAreListed } from '../../support/temporal';

const on = 'linkTokens';
const LONG_MS = 300_000;
const RETRY_AFTER_S = 600;
const createsAndHangs: Fault = { on, delayMs: LONG_MS, afterCreating: true };
const tooManyRequests: Fault = { on, status: 429, headers: { 'Retry-After': `${RETRY_AFTER_S}` } };

it('runs whose worker is killed count each attempt that may have created a token, and deliver', async () => {
  const own = await startOwnOrganizations({ config: { atlas: { requestTimeoutMs: LONG_MS } } });
  const start = (fault: Fault) => own.start(own.newRequest(), fault);
  const expectCounted = async (
    { request, handle }: OwnRun,
    unconfirmedTokens: number,
    created: number,
  ) => {
    const { type, message, unconfirmedTokens: counted } = await endingOf(handle);
    expect([type, message, counted]).toEqual(['delivered', '', unconfirmedTokens]);
    expect(own.atlas.created(request)).toBe(created);
  };
  const [twice, reset, paused, waiting, unsent] = await Promise.all([
    start(createsAndHangs),
    start(createsAndHangs),
    start(createsAndHangs),
    start(tooManyRequests),
    // Its request without credentials, for a challenge, hangs: nobody knows that no other followed.
    own.start(own.newRequest({}, 'apiKey'), { on, delayMs: LONG_MS, beforeAuthentication: true }),
  ]);
  await operate(reset.handle, 'reset');
  await operate(paused.handle, 'pause');
  await untilBackOff(waiting.handle);
  const [backOff] = (await waiting.handle.describe()).raw.pendingActivities ?? [];
  expect(Number(backOff?.currentRetryInterval?.seconds)).toBeGreaterThanOrEqual(RETRY_AFTER_S);
  const scheduledRequest = own.newRequest();
  own.setFaults(scheduledRequest, { on: 'availableProjects', delayMs: LONG_MS });
  const scheduled = await startScheduled(own.installation.taskQueue, { request: scheduledRequest });
  await own.untilMet(scheduledRequest);
  // Temporal looks at its heartbeats once the run below has its token.
  await setTimeoutOf(scheduled, 'heartbeat', 1_200_000);
  own.setFaults(twice.request, createsAndHangs);
  await own.worker.kill();
  await loseAttempts(twice.handle, reset.handle, paused.handle, unsent.handle);

  const next = await own.installation.startWorker();
  const { createdAt: lastTokenAt } = await (
    await own.installation.start(scheduledRequest)
  ).result();
  await untilClosedAreListed(own.installation.handleOf(scheduledRequest).workflowId, 1);
  await setTimeoutOf(scheduled, 'heartbeat', 1000);
  for (const run of [reset, paused]) await expectCounted(run, 1, 2);
  await expectCounted(unsent, 1, 1);
  expect(await scheduled.result()).toEqual({ outcome: 'recentToken', lastTokenAt, receipt: null });

  // The circuit breaker of this worker does not know of the 429.
  own.setFaults(waiting.request, createsAndHangs);
  await operate(waiting.handle, 'reset');
  for (const { request } of [waiting, twice]) await own.untilMet(request);
  await next.kill();
  await loseAttempts(waiting.handle, twice.handle);
  await own.installation.startWorker();
  await expectCounted(waiting, 1, 2);
  await expectCounted(twice, 2, 3);
});

it.concurrent(
  'a run whose worker is killed during validation creates one token, and replays',
  async () => {
    const atlas = await startAtlas();
    const installation = await install({ atlas });
    const began = path.join(installation.folder, 'validation-began');
    const worker = await installation.startWorker({
      NODE_OPTIONS: `--require ${path.join(__dirname, '../../support/stalled-validation.cjs')}`,
      STALLED_VALIDATION: began,
    });
    const request = installation.newRequest();
    const outcome = startAndAwait(installation, request);
    await eventually('validation', () => existsSync(began));
    await worker.kill();
    await installation.startWorker();
    const { receipt } = await outcome;
    expect(await endingOf(installation.handleOf(request))).toMatchObject({
      type: 'delivered',
      receipt,
    });
    expect(atlas.created(request)).toBe(1);
    await replay(await installation.handleOf(request).fetchHistory());
  },
);
