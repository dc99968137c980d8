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
import {
  afterCancel,
  forbidden,
  failing,
  notCreated,
  notSealed,
  rejected,
  sinkRejects,
  withHeartbeats,
} from './attempts';
import type { Script } from './scripted-worker';
import { worker } from './shared-worker';

const LAST_TOKEN_AT = '2026-11-01T00:00:00.000Z';
const EARLIER_RUN = '8ffaa967-f367-493b-bb86-d0e9668a748f';

async function schedule(script: Script, input: Partial<ScheduledRequest> = {}) {
  const request = worker().installation.newRequest();
  const calls = worker().setScript(request, script);
  const scheduled = await startScheduled(worker().installation.taskQueue, { request, ...input });
  return { request, calls, scheduled, run: worker().installation.handleOf(request) };
}

/** Starts `prepareOnSchedule`, and waits until the sink rejects the token of its run. */
async function scheduleUndelivered(script: Script = {}) {
  const pair = await schedule({ deliver: [sinkRejects], ...script });
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

describe('after the check of the link, a schedule', () => {
  it.concurrent.each([
    ['alreadyLinked', { linked: true, recentToken: true, lastTokenAt: LAST_TOKEN_AT }],
    ['recentToken', { recentToken: true, lastTokenAt: LAST_TOKEN_AT }],
  ])('starts no run if the state is %s', async (outcome, state) => {
    const { scheduled, calls } = await schedule({ checkLink: link(state) });
    expect(await scheduled.result()).toEqual({
      outcome,
      lastTokenAt: LAST_TOKEN_AT,
      receipt: null,
    });
    expect(calls.creations).toBe(0);
  });

  it.concurrent.each<[what: string, checkLink: () => unknown, changes: object]>([
    ['a pair without a token', link({}), {}],
    [
      'a pair with an old token, which it permits',
      link({ tokenRunId: EARLIER_RUN }),
      { again: EARLIER_RUN },
    ],
    ['a pair whose check another client completed', () => 'text', {}],
  ])('starts a run for %s', async (_what, checkLink, changes) => {
    const { request, run, scheduled } = await schedule({ checkLink });
    const { receipt, ...result } = await scheduled.result();
    expect(result).toEqual({ outcome: 'prepared', lastTokenAt: receipt?.createdAt });
    expect(await requestOf(run)).toEqual({ ...request, ...changes });
  });

  it.concurrent('fails as the check does, and starts no run', async () => {
    const checkLink = failing(terminalFailure('SinkRejected', '403', { status: 403 }));
    const { calls, scheduled } = await schedule({ checkLink });
    const details = { status: 403, unconfirmedTokens: 0 };
    expect(await end(scheduled)).toMatchObject({ type: 'SinkRejected', message: '403', details });
    expect(calls.creations).toBe(0);
  });
});

it.concurrent('with always: true a schedule starts a run each time, without a check', async () => {
  const checkLink = failing(new Error('it was checked'));
  const { request, run, scheduled } = await schedule({ checkLink }, { always: true });
  expect(await scheduled.result()).toMatchObject({ outcome: 'prepared' });
  expect(await requestOf(run)).toEqual({ ...request, again: true });
  const next = await startScheduled(worker().installation.taskQueue, { request, always: true });
  expect(await next.result()).toMatchObject({ outcome: 'prepared' });
});

it.concurrent(
  'an open run of the pair goes on, and the schedule ends as alreadyRunning',
  async () => {
    const checkLink = link({ lastTokenAt: LAST_TOKEN_AT });
    const { request, handle } = await worker().start({ deliver: [sinkRejects], checkLink });
    await untilStep(handle, 'undelivered');
    const scheduled = await startScheduled(worker().installation.taskQueue, { request });
    const expected = { outcome: 'alreadyRunning', lastTokenAt: LAST_TOKEN_AT, receipt: null };
    expect(await scheduled.result()).toEqual(expected);
    expect(await redeliver(handle, { sink: 'other' })).toMatchObject({ type: 'delivered' });
  },
);

describe('a schedule', () => {
  it.concurrent('fails as its run does when that loses its token', async () => {
    const { run, scheduled } = await schedule({ create: [notSealed] });
    const ending = await end(scheduled);
    expect(ending).toMatchObject({ type: 'TokenLost', unconfirmedTokens: 0 });
    expect(await endingOf(run)).toEqual(ending);
  });

  it.concurrent('starts its run with a summary for the UI', async () => {
    const { run, scheduled } = await schedule({});
    await scheduled.result();
    const { workflowId } = run;
    const [, orgId, sourceOrgId] = workflowId.split('/');
    expect(await (await run.describe()).staticSummary()).toBe(
      `create a link-token of ${orgId} for source organization ${sourceOrgId}`,
    );
  });

  it.concurrent('ends as recentToken if its run finds a newer token', async () => {
    const details = {
      state: 'delivered',
      receipt: { createdAt: LAST_TOKEN_AT },
      unconfirmedTokens: 0,
    };
    const find = failing(terminalFailure('TokenExists', 'it has a token', details));
    const { scheduled } = await schedule({ find });
    const expected = { outcome: 'recentToken', lastTokenAt: LAST_TOKEN_AT, receipt: null };
    expect(await scheduled.result()).toEqual(expected);
  });

  it.concurrent('fails as its run does when that is cancelled and leaves a token', async () => {
    const { run, scheduled } = await scheduleUndelivered({ revoke: [forbidden] });
    await run.cancel();
    expect(await end(scheduled)).toMatchObject({
      type: 'Cancelled',
      details: { sinksTried: ['files'] },
    });
  });

  it.concurrent('fails as Cancelled if its run was cancelled without a token', async () => {
    const { run, scheduled, calls } = await schedule({ create: [notCreated(600_000)] });
    await eventually('the attempt', () => calls.creations === 1);
    await untilBackOff(run);
    await run.cancel();
    const message = 'the run that this schedule started was cancelled';
    expect(await end(scheduled)).toMatchObject({ type: 'Cancelled', message });
  });

  it.concurrent('says what to do about the token if its run was terminated', async () => {
    const { run, scheduled } = await scheduleUndelivered();
    await run.terminate();
    const { type, message } = await end(scheduled);
    expect(type).toBe('Cancelled');
    expect(message).toContain(
      'terminated; if it held a token: look in the sink of its request first',
    );
  });
});

describe('the run of a schedule', () => {
  it.concurrent('that is cancelled cancels the run that it started', async () => {
    const { run, scheduled } = await scheduleUndelivered();
    await scheduled.cancel();
    expect(await endingOf(run)).toMatchObject({ type: 'CANCELLED' });
    expect(await end(scheduled)).toMatchObject({ type: 'CANCELLED' });
  });

  it.concurrent(
    'that is cancelled while Atlas rejects the request fails with that rejection',
    async () => {
      const { scheduled, calls } = await schedule({ create: [afterCancel(rejected)] });
      await eventually('the attempt', () => calls.creations === 1);
      await scheduled.cancel();
      expect(await end(scheduled)).toMatchObject({ type: 'AtlasRequestRejected' });
    },
  );

  it.concurrent('that is cancelled during the check starts no run', async () => {
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

  it.concurrent('that is terminated leaves the run that it started', async () => {
    const { run, scheduled } = await scheduleUndelivered();
    await scheduled.terminate();
    expect(await redeliver(run, { sink: 'other' })).toMatchObject({ type: 'delivered' });
  });
});

const request = { orgId: newOrgId(), sourceOrgId: newOrgId(), accessListIps: [], sink: 'files' };
const other = { ...request, orgId: newOrgId(), accessListIps: ['10.1.2.3'] };

it.concurrent.each<[field: string, what: string, ...args: unknown[]]>([
  ['request.orgId', 'no input'],
  // Its fields, which a scheduled request does not have, are not listed.
  ['request.orgId', 'a plain request', request],
  ['request.sourceOrgId', 'a path for an id', { request: { ...request, sourceOrgId: '../x' } }],
  ['always', 'a text for a flag', { request, always: 'yes' }],
  ['request.again', 'a field of plain requests', { request: { ...request, again: true } }],
  ['alwys', 'a misspelled field', { request, alwys: true }],
  ['sink', 'an unknown sink', { request: { ...request, sink: 'nowhere' } }],
  ['accessListIps[0]', 'a private address', { request: other }],
])('malformed input is an InvalidRequest that names %s for %s', async (field, _what, ...args) => {
  const scheduled = await startScheduled(worker().installation.taskQueue, ...args);
  const { type, message, details } = await end(scheduled);
  expect(type).toBe('InvalidRequest');
  expect(details?.fields?.map((problem) => problem.field)).toEqual([field]);
  expect(message).toContain(`the request is not valid: ${field} `);
});

it.concurrent(
  'a scheduled request with many unknown fields fails with the first and their number',
  async () => {
    const unknown = Object.fromEntries(Array.from({ length: 12 }, (_, index) => [`f${index}`, 1]));
    const { taskQueue } = worker().installation;
    const { message, details } = await end(
      await startScheduled(taskQueue, { request, ...unknown }),
    );
    expect(message).toMatch(/: f0 is not a field of .*; f9 is not a field of [^;]*; and 2 more$/);
    expect(details?.fields).toHaveLength(12);
  },
);
