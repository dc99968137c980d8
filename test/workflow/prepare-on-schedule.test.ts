import { Context } from '@temporalio/activity';
import { defaultPayloadConverter } from '@temporalio/common';
import type { PrepareRequest, ScheduledRequest } from '../../src/contract/schemas';
import type { LinkState } from '../../src/shared/activities';
import { terminalFailure } from '../../src/shared/application-failure';
import { eventually } from '../support/eventually';
import { newOrgId } from '../support/ids';
import type { Handle } from '../support/installation';
import { endingOf, redeliver, untilBackOff, untilStep, type Ending } from '../support/runs';
import { startScheduled, type ScheduledRun } from '../support/schedules';
import { afterCancel, notCreated, notSealed, rejected, sinkRejects, withHeartbeats } from './attempts';
import { startScriptedWorker, type Script, type ScriptedWorker } from './scripted-worker';

const LAST_TOKEN_AT = '2026-11-01T00:00:00.000Z';
const EARLIER_RUN = '8ffaa967-f367-493b-bb86-d0e9668a748f';

let worker: ScriptedWorker;
beforeAll(async () => void (worker = await startScriptedWorker()));

async function schedule(script: Script, input: Partial<ScheduledRequest> = {}) {
  const request = worker.deployment.newRequest();
  const calls = worker.setScript(request, script);
  const scheduled = await startScheduled(worker.deployment.taskQueue, { request, ...input });
  return { request, calls, scheduled, run: worker.deployment.handleOf(request) };
}

/** Starts what a schedule starts, and waits until the sink rejects the token of its run. */
async function scheduleUndelivered() {
  const pair = await schedule({ deliver: [sinkRejects] });
  await eventually('a run of the pair', () => pair.run.describe().catch(() => null));
  await untilStep(pair.run, 'undelivered');
  return pair;
}

function end(scheduled: ScheduledRun): Promise<Ending> {
  return endingOf(scheduled as unknown as Handle);
}

/** The first input of a run. */
async function requestOf(run: Handle): Promise<PrepareRequest> {
  const { events } = await run.fetchHistory();
  const [payload] = events?.[0]?.workflowExecutionStartedEventAttributes?.input?.payloads ?? [];
  if (!payload) throw new Error('the run has no input');
  return defaultPayloadConverter.fromPayload(payload);
}

const link = (more: Partial<LinkState>) => (): LinkState => ({
  linked: false,
  recentToken: false,
  lastTokenAt: null,
  tokenRunId: null,
  ...more,
});

describe('the check of the link leads to', () => {
  it.concurrent.each([
    ['alreadyLinked', { linked: true, recentToken: true, lastTokenAt: LAST_TOKEN_AT }],
    ['recentToken', { recentToken: true, lastTokenAt: LAST_TOKEN_AT }],
  ])('%s, and no run', async (outcome, state) => {
    const { scheduled, calls } = await schedule({ checkLink: link(state) });
    expect(await scheduled.result()).toEqual({ outcome, lastTokenAt: LAST_TOKEN_AT, receipt: null });
    expect(calls.creations).toBe(0);
  });

  it.concurrent.each<[what: string, checkLink: () => unknown, changes: object]>([
    ['of a pair without a token: a plain request', link({}), {}],
    [
      'of a pair with an old token: one that permits it',
      link({ tokenRunId: EARLIER_RUN }),
      { again: EARLIER_RUN },
    ],
    ['after a check that another client completed: a plain request', () => 'text', {}],
  ])('a run %s', async (_what, checkLink, changes) => {
    const { request, run, scheduled } = await schedule({ checkLink });
    const { receipt, ...result } = await scheduled.result();
    expect(result).toEqual({ outcome: 'prepared', lastTokenAt: receipt?.createdAt });
    expect(await requestOf(run)).toEqual({ ...request, ...changes });
  });

  it.concurrent('a run with always: true, without a check', async () => {
    const checkLink = () => {
      throw new Error('it was checked');
    };
    const { request, run, scheduled } = await schedule({ checkLink }, { always: true });
    expect(await scheduled.result()).toMatchObject({ outcome: 'prepared' });
    expect(await requestOf(run)).toEqual({ ...request, again: true });
  });

  it.concurrent('its own failure, and no run', async () => {
    const checkLink = () => {
      throw terminalFailure('SinkRejected', '403', { status: 403 });
    };
    const { calls, scheduled } = await schedule({ checkLink });
    const details = { status: 403, unconfirmedTokens: 0 };
    expect(await end(scheduled)).toMatchObject({ type: 'SinkRejected', message: '403', details });
    expect(calls.creations).toBe(0);
  });
});

it.concurrent(
  'an open run of the pair: alreadyRunning with the time of the last token; it goes on',
  async () => {
    const checkLink = link({ lastTokenAt: LAST_TOKEN_AT });
    const { request, handle } = await worker.start({ deliver: [sinkRejects], checkLink });
    await untilStep(handle, 'undelivered');
    const scheduled = await startScheduled(worker.deployment.taskQueue, { request });
    const expected = { outcome: 'alreadyRunning', lastTokenAt: LAST_TOKEN_AT, receipt: null };
    expect(await scheduled.result()).toEqual(expected);
    expect(await redeliver(handle, { sink: 'other' })).toMatchObject({ type: 'delivered' });
  },
);

describe('the run that a schedule started', () => {
  it.concurrent('whose token is lost fails the schedule in the same way', async () => {
    const { run, scheduled } = await schedule({ create: [notSealed] });
    const ended = await end(scheduled);
    expect(ended).toMatchObject({ type: 'TokenLost', unconfirmedTokens: 1 });
    expect(await endingOf(run)).toEqual(ended);
  });

  it.concurrent('that finds a newer token: recentToken, with the time of that token', async () => {
    const details = { state: 'delivered', receipt: { createdAt: LAST_TOKEN_AT }, unconfirmedTokens: 0 };
    const find = () => {
      throw terminalFailure('TokenExists', 'it has a token', details);
    };
    const { scheduled } = await schedule({ find });
    const expected = { outcome: 'recentToken', lastTokenAt: LAST_TOKEN_AT, receipt: null };
    expect(await scheduled.result()).toEqual(expected);
  });

  it.concurrent('cancelled with a token: Cancelled, as it is', async () => {
    const { run, scheduled } = await scheduleUndelivered();
    await run.cancel();
    expect(await end(scheduled)).toMatchObject({ type: 'Cancelled', details: { sinksTried: ['files'] } });
  });

  it.concurrent('cancelled without a token: Cancelled, which says that the run was cancelled', async () => {
    const { run, scheduled, calls } = await schedule({ create: [notCreated(600_000)] });
    await eventually('the attempt', () => calls.creations === 1);
    await untilBackOff(run);
    await run.cancel();
    const message = 'the run that this schedule started was cancelled';
    expect(await end(scheduled)).toMatchObject({ type: 'Cancelled', message });
  });

  it.concurrent('terminated: Cancelled, with the command that recovers the token', async () => {
    const { request, run, scheduled } = await scheduleUndelivered();
    const { runId } = await run.describe();
    await run.terminate();
    const { type, message } = await end(scheduled);
    expect(type).toBe('Cancelled');
    const pair = `--org ${request.orgId} --source-org ${request.sourceOrgId}`;
    expect(message).toContain(
      `terminated; if it held a token: \`live-migration-prep recover ${pair} --run-id ${runId}\``,
    );
  });
});

describe('the run of the schedule itself', () => {
  it.concurrent('cancelled: the run that it started ends Cancelled, and it ends CANCELLED', async () => {
    const { run, scheduled } = await scheduleUndelivered();
    await scheduled.cancel();
    expect(await endingOf(run)).toMatchObject({ type: 'Cancelled', details: { sinksTried: ['files'] } });
    expect(await end(scheduled)).toMatchObject({ type: 'CANCELLED' });
  });

  it.concurrent('cancelled while Atlas rejects the run that it started: fails as that run does', async () => {
    const { scheduled, calls } = await schedule({ create: [afterCancel(rejected)] });
    await eventually('the attempt', () => calls.creations === 1);
    await scheduled.cancel();
    expect(await end(scheduled)).toMatchObject({ type: 'AtlasRequestRejected' });
  });

  it.concurrent('cancelled during the check: CANCELLED, and no run', async () => {
    let isChecking = false;
    const checkLink = async () => {
      isChecking = true;
      await withHeartbeats(Context.current().cancelled).catch(() => undefined);
      throw new Error('Atlas is away');
    };
    const { calls, scheduled } = await schedule({ checkLink });
    await eventually('the check', () => isChecking);
    await scheduled.cancel();
    expect(await end(scheduled)).toMatchObject({ type: 'CANCELLED' });
    expect(calls.creations).toBe(0);
  });

  it.concurrent('terminated: the run that it started goes on', async () => {
    const { run, scheduled } = await scheduleUndelivered();
    await scheduled.terminate();
    expect(await redeliver(run, { sink: 'other' })).toMatchObject({ type: 'delivered' });
  });
});

describe('malformed input is InvalidRequest, which names the field:', () => {
  const request = { orgId: newOrgId(), sourceOrgId: newOrgId(), accessListIps: [], sink: 'files' };

  it.concurrent.each<[field: string, ...args: unknown[]]>([
    ['request.orgId'],
    // Its own fields, which are not those of a scheduled request, are not listed.
    ['request.orgId', request],
    ['request.sourceOrgId', { request: { ...request, sourceOrgId: '../x' } }],
    ['always', { request, always: 'yes' }],
    ['request.again', { request: { ...request, again: true } }],
    ['alwys', { request, alwys: true }],
    ['sink', { request: { ...request, sink: 'nowhere' } }],
    ['accessListIps[0]', { request: { ...request, orgId: newOrgId(), accessListIps: ['10.1.2.3'] } }],
  ])('%s: %j', async (field, ...args) => {
    const { type, message, details } = await end(await startScheduled(worker.deployment.taskQueue, ...args));
    expect(type).toBe('InvalidRequest');
    expect(details?.fields?.map((problem) => problem.field)).toEqual([field]);
    expect(message).toContain(`the request is not valid: ${field} `);
  });
});
