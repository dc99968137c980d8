import type { WorkflowHandle } from '@temporalio/client';
import { defaultPayloadConverter } from '@temporalio/common';
import { repeatableCallFailure, temporalUnavailable } from '../../src/activities/failures';
import { WORKFLOW_TYPES, type DeliveryFailureType } from '../../src/contract/names';
import type { PrepareRequest, ScheduledRequest, ScheduledResult } from '../../src/contract/schemas';
import type { LinkState } from '../../src/shared/activities';
import { applicationFailure } from '../../src/shared/application-failure';
import { eventually } from '../support/eventually';
import { newOrgId } from '../support/ids';
import type { Handle } from '../support/installation';
import { endingOf, redeliver, untilBackOff, untilStep, type Ending } from '../support/runs';
import { sharedTemporal } from '../support/temporal';
import { Gate, notCreated, notSealed, rejected, responseAt, sinkRejects } from './attempts';
import { startScriptedWorker, type Calls, type Script, type ScriptedWorker } from './scripted-worker';

const LAST_TOKEN_AT = '2026-11-01T00:00:00.000Z';
const EARLIER_RUN = '8ffaa967-f367-493b-bb86-d0e9668a748f';

let worker: ScriptedWorker;
beforeAll(async () => {
  worker = await startScriptedWorker();
});

type Scheduled = WorkflowHandle<(input: ScheduledRequest) => Promise<ScheduledResult>>;

/** Starts what a schedule starts. */
async function startScheduled(...args: unknown[]): Promise<Scheduled> {
  const { client } = await sharedTemporal();
  return client.workflow.start(WORKFLOW_TYPES.prepareOnSchedule, {
    workflowId: `scheduled-${newOrgId()}`,
    taskQueue: worker.deployment.taskQueue,
    args,
  }) as Promise<Scheduled>;
}

interface Pair {
  request: PrepareRequest;
  calls: Calls;
  scheduled: Scheduled;
}

async function schedule(script: Script, input: Partial<ScheduledRequest> = {}): Promise<Pair> {
  const request = worker.deployment.newRequest();
  const calls = worker.setScript(request, script);
  return { request, calls, scheduled: await startScheduled({ request, ...input }) };
}

function end({ scheduled }: Pick<Pair, 'scheduled'>): Promise<Ending> {
  return endingOf(scheduled as unknown as Handle);
}

/** The run that was started for a request, once it has a token that its sink rejected. */
async function undeliveredRun(request: PrepareRequest): Promise<Handle> {
  const handle = worker.deployment.handleOf(request);
  await eventually('a run of the pair', () => handle.describe().catch(() => null));
  await untilStep(handle, 'undelivered');
  return handle;
}

/** The first input of the run of a pair. */
async function requestOf({ request }: Pair): Promise<PrepareRequest> {
  const { events } = await worker.deployment.handleOf(request).fetchHistory();
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

const REJECTED_CHECK = { retryable: false, message: 'it returned 403', details: { status: 403 } } as const;

describe('the check of the link leads to', () => {
  it.concurrent.each<[outcome: string, checkLink: () => unknown, lastTokenAt: string | null]>([
    ['alreadyLinked', link({ linked: true, lastTokenAt: LAST_TOKEN_AT }), LAST_TOKEN_AT],
    ['alreadyLinked', link({ linked: true, recentToken: true }), null],
    ['recentToken', link({ recentToken: true, lastTokenAt: LAST_TOKEN_AT }), LAST_TOKEN_AT],
  ])('%s, and no run', async (outcome, checkLink, lastTokenAt) => {
    const { scheduled, calls } = await schedule({ checkLink });
    expect(await scheduled.result()).toEqual({ outcome, lastTokenAt, receipt: null });
    expect(calls.creations).toBe(0);
  });

  it.concurrent.each<[what: string, checkLink: () => unknown, again: unknown]>([
    ['of a pair without a token: a plain request', link({}), undefined],
    ['of a pair with an old token: one that permits it', link({ tokenRunId: EARLIER_RUN }), EARLIER_RUN],
    ['completed by hand: a plain request', () => 'text', undefined],
  ])('a run %s', async (_what, checkLink, again) => {
    const pair = await schedule({ checkLink });
    const result = await pair.scheduled.result();
    expect(result).toMatchObject({ outcome: 'prepared', receipt: { sink: 'files' } });
    expect(result.lastTokenAt).toBe(result.receipt?.createdAt);
    expect(await requestOf(pair)).toEqual({ ...pair.request, ...(again !== undefined && { again }) });
  });

  it.concurrent('a run with always: true, without a check', async () => {
    const checkLink = () => {
      throw new Error('it was checked');
    };
    const pair = await schedule({ checkLink }, { always: true });
    expect(await pair.scheduled.result()).toMatchObject({ outcome: 'prepared' });
    expect(await requestOf(pair)).toEqual({ ...pair.request, again: true });
  });

  it.concurrent.each<[type: Ending['type'] | DeliveryFailureType, checkLink: () => never]>([
    [
      'AtlasRequestRejected',
      () => {
        throw repeatableCallFailure({ ...REJECTED_CHECK, type: 'AtlasRequestRejected' });
      },
    ],
    [
      'SinkRejected',
      () => {
        throw repeatableCallFailure({ ...REJECTED_CHECK, type: 'SinkRejected' });
      },
    ],
    [
      'TemporalUnavailable',
      () => {
        throw temporalUnavailable(new Error('denied'), 'id', true);
      },
    ],
  ])('its failure %s, and no run', async (type, checkLink) => {
    const pair = await schedule({ checkLink });
    expect(await end(pair)).toMatchObject({ type, details: { unconfirmedTokens: 0 } });
    expect(pair.calls.creations).toBe(0);
  });
});

describe('an open run of the pair', () => {
  it.concurrent('leads to alreadyRunning with the time of the last token, and goes on', async () => {
    const request = worker.deployment.newRequest();
    worker.setScript(request, {
      deliver: [sinkRejects],
      checkLink: link({ lastTokenAt: LAST_TOKEN_AT }),
    });
    const open = await worker.deployment.start(request);
    await untilStep(open, 'undelivered');
    const scheduled = await startScheduled({ request });
    expect(await scheduled.result()).toEqual({
      outcome: 'alreadyRunning',
      lastTokenAt: LAST_TOKEN_AT,
      receipt: null,
    });
    expect(await redeliver(open, { sink: 'other' })).toMatchObject({ type: 'delivered' });
  });
});

describe('the run that a schedule started', () => {
  it.concurrent.each<[what: string, Script, Pick<Ending, 'type' | 'unconfirmedTokens'>]>([
    ['that Atlas rejects', { create: [rejected] }, { type: 'AtlasRequestRejected', unconfirmedTokens: 0 }],
    ['whose token is lost', { create: [notSealed] }, { type: 'TokenLost', unconfirmedTokens: 1 }],
  ])('%s fails the schedule in the same way', async (_what, script, ending) => {
    const pair = await schedule(script);
    const ended = await end(pair);
    expect(ended).toMatchObject(ending);
    expect(await endingOf(worker.deployment.handleOf(pair.request))).toEqual(ended);
  });

  it.concurrent('that finds a newer token: recentToken, with the time of that token', async () => {
    const receipt = { createdAt: LAST_TOKEN_AT };
    const find = () => {
      const details = [{ state: 'delivered', receipt, unconfirmedTokens: 0 }];
      throw applicationFailure({
        type: 'TokenExists',
        message: 'it has a token',
        nonRetryable: true,
        details,
      });
    };
    const { scheduled } = await schedule({ find });
    expect(await scheduled.result()).toEqual({
      outcome: 'recentToken',
      lastTokenAt: LAST_TOKEN_AT,
      receipt: null,
    });
  });

  it.concurrent('cancelled with a token: Cancelled, as it is', async () => {
    const pair = await schedule({ deliver: [sinkRejects] });
    const run = await undeliveredRun(pair.request);
    await run.cancel();
    expect(await end(pair)).toMatchObject({ type: 'Cancelled', details: { sinksTried: ['files'] } });
  });

  it.concurrent('cancelled without a token: Cancelled, which says that the run was cancelled', async () => {
    const pair = await schedule({ create: [notCreated(600_000)] });
    const run = worker.deployment.handleOf(pair.request);
    await eventually('the attempt', () => pair.calls.creations === 1);
    await untilBackOff(run);
    await run.cancel();
    expect(await end(pair)).toMatchObject({
      type: 'Cancelled',
      message: 'the run that this schedule started was cancelled',
    });
  });

  it.concurrent('terminated: Cancelled, with the command that recovers the token', async () => {
    const pair = await schedule({ deliver: [sinkRejects] });
    const run = await undeliveredRun(pair.request);
    const { runId } = await run.describe();
    await run.terminate();
    const { orgId, sourceOrgId } = pair.request;
    expect(await end(pair)).toMatchObject({
      type: 'Cancelled',
      message: `the run that this schedule started was terminated; if it held a token: \`live-migration-prep recover --org ${orgId} --source-org ${sourceOrgId} --run-id ${runId}\``,
    });
  });
});

describe('the run of the schedule itself', () => {
  it.concurrent('cancelled: the run that it started ends Cancelled, and it ends CANCELLED', async () => {
    const pair = await schedule({ deliver: [sinkRejects] });
    const run = await undeliveredRun(pair.request);
    await pair.scheduled.cancel();
    expect(await endingOf(run)).toMatchObject({ type: 'Cancelled', details: { sinksTried: ['files'] } });
    expect(await end(pair)).toMatchObject({ type: 'CANCELLED' });
  });

  it.concurrent('cancelled while Atlas rejects the run that it started: fails as that run does', async () => {
    const gate = new Gate();
    const pair = await schedule({ create: [responseAt(gate, rejected)] });
    await gate.reached;
    await pair.scheduled.cancel();
    gate.open();
    expect(await end(pair)).toMatchObject({ type: 'AtlasRequestRejected' });
  });

  it.concurrent('cancelled during the check: CANCELLED, and no run', async () => {
    const gate = new Gate();
    const checkLink = async () => {
      gate.reach();
      await gate.opened;
      throw new Error('Atlas is away');
    };
    const pair = await schedule({ checkLink });
    await gate.reached;
    await pair.scheduled.cancel();
    gate.open();
    expect(await end(pair)).toMatchObject({ type: 'CANCELLED' });
    expect(pair.calls.creations).toBe(0);
  });

  it.concurrent('terminated: the run that it started goes on', async () => {
    const pair = await schedule({ deliver: [sinkRejects] });
    const run = await undeliveredRun(pair.request);
    await pair.scheduled.terminate();
    expect(await redeliver(run, { sink: 'other' })).toMatchObject({ type: 'delivered' });
  });
});

describe('malformed input is InvalidRequest, which names the field:', () => {
  const request = { orgId: newOrgId(), sourceOrgId: newOrgId(), accessListIps: [], sink: 'files' };

  it.concurrent.each<[field: string, args: unknown[]]>([
    ['request.orgId', []],
    ['request.orgId', ['a request']],
    ['request.orgId', [{ request: null }]],
    ['request.orgId', [request]],
    ['request.orgId', [{ request: { ...request, orgId: 'x' } }]],
    ['request.sourceOrgId', [{ request: { ...request, sourceOrgId: '../x' } }]],
    ['always', [{ request, always: 'yes' }]],
    ['request.again', [{ request: { ...request, again: true } }]],
    ['alwys', [{ request, alwys: true }]],
    ['sink', [{ request: { ...request, sourceOrgId: newOrgId(), sink: 'nowhere' } }]],
    [
      'accessListIps[0]',
      [{ request: { ...request, sourceOrgId: newOrgId(), accessListIps: ['0.0.0.0/0'] } }],
    ],
  ])('%s: %j', async (field, args) => {
    const { request: given } = (args[0] ?? {}) as { request?: PrepareRequest | null };
    if (given?.orgId) worker.setScript(given, {});
    const { type, message, details } = await end({ scheduled: await startScheduled(...args) });
    expect(type).toBe('InvalidRequest');
    expect(details?.fields?.map((problem) => problem.field)).toEqual([field]);
    expect(message).toContain(`the request is not valid: ${field} `);
  });
});
