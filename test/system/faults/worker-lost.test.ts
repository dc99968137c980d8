import { existsSync } from 'node:fs';
import path from 'node:path';
import type { Fault } from '../../../dev/atlas-emulator';
import { startAtlas } from '../../support/atlas';
import { eventually } from '../../support/eventually';
import { install } from '../../support/installation';
import { startOwnOrganizations, type CredentialType } from '../../support/organizations';
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
import { setUp } from '../../support/set-up';
import { untilClosedAreListed } from '../../support/temporal';

const on = 'linkTokens';
const LONG_MS = 300_000;
const RETRY_AFTER_S = 600;
const createsAndHangs: Fault = { on, delayMs: LONG_MS, afterCreating: true };
const tooManyRequests: Fault = { on, status: 429, headers: { 'Retry-After': `${RETRY_AFTER_S}` } };
/** Nobody can tell that no signed request followed this one for the Digest challenge. */
const hangsUnsigned: Fault = { on, delayMs: LONG_MS, beforeAuthentication: true };

type Name = 'reset' | 'paused' | 'unsigned' | 'waiting' | 'twice';

/** What each run does when its worker is killed. The last two lose the next worker, too. */
const RUNS: [during: string, unconfirmedTokens: number, created: number, name: Name][] = [
  ['a POST of an activity that was reset', 1, 2, 'reset'],
  ['a POST of a paused activity', 1, 2, 'paused'],
  ['the request for the Digest challenge', 1, 1, 'unsigned'],
  ['a wait after 429, and then a POST', 1, 2, 'waiting'],
  ['a POST, and then another', 2, 3, 'twice'],
];

/** Starts the runs and a schedule, kills their worker and the next, and starts a third. */
async function loseTwoWorkers() {
  const own = await startOwnOrganizations({ config: { atlas: { requestTimeoutMs: LONG_MS } } });
  const start = (fault: Fault, credential?: CredentialType) =>
    own.start(own.newRequest({}, credential), fault);
  const [reset, paused, unsigned, waiting, twice] = await Promise.all([
    start(createsAndHangs),
    start(createsAndHangs),
    start(hangsUnsigned, 'apiKey'),
    start(tooManyRequests),
    start(createsAndHangs),
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
  // The check is lost only once the run below has its token.
  await setTimeoutOf(scheduled, 'heartbeat', 1_200_000);
  own.setFaults(twice.request, createsAndHangs);
  await own.worker.kill();
  await loseAttempts(twice.handle, reset.handle, paused.handle, unsigned.handle);

  const next = await own.installation.startWorker();
  const { createdAt: lastTokenAt } = await (
    await own.installation.start(scheduledRequest)
  ).result();
  await untilClosedAreListed(own.installation.handleOf(scheduledRequest).workflowId, 1);
  await setTimeoutOf(scheduled, 'heartbeat', 1000);
  for (const { handle } of [reset, paused, unsigned]) await handle.result();
  const scheduledResult = await scheduled.result();

  // The circuit breaker of this worker does not know of the 429.
  own.setFaults(waiting.request, createsAndHangs);
  await operate(waiting.handle, 'reset');
  for (const { request } of [waiting, twice]) await own.untilMet(request);
  await next.kill();
  await loseAttempts(waiting.handle, twice.handle);
  await own.installation.startWorker();
  const runs = { reset, paused, unsigned, waiting, twice };
  return { atlas: own.atlas, runs, lastTokenAt, scheduledResult };
}

describe('a run whose worker is killed during', () => {
  const lost = setUp(loseTwoWorkers);

  it.each(RUNS)('%s: %d unconfirmed, %d created', async (_during, count, created, name) => {
    const { atlas, runs } = lost();
    const { request, handle } = runs[name];
    const { type, message, unconfirmedTokens } = await endingOf(handle);
    expect([type, message, unconfirmedTokens]).toEqual(['delivered', '', count]);
    expect(atlas.created(request)).toBe(created);
  });

  it('the check of a schedule: the schedule finds the newer token', () => {
    const { lastTokenAt, scheduledResult } = lost();
    expect(scheduledResult).toEqual({ outcome: 'recentToken', lastTokenAt, receipt: null });
  });
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
