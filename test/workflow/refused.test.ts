import type { WorkflowStartOptions } from '@temporalio/client';
import { RawValue } from '@temporalio/common';
import { WORKFLOW_TYPES, workflowIdFor } from '../../src/contract/names';
import type { PrepareRequest } from '../../src/contract/schemas';
import { eventually } from '../support/eventually';
import { newOrgId } from '../support/ids';
import { endingOf } from '../support/runs';
import { sharedTemporal } from '../support/temporal';
import { startScriptedWorker, type ScriptedWorker } from './scripted-worker';

let worker: ScriptedWorker;
beforeAll(async () => {
  worker = await startScriptedWorker();
});

/** Starts any workflow type with any arguments, as a caller in another language can. */
async function start(workflowType: string, args: unknown[], options: Partial<WorkflowStartOptions> = {}) {
  const { client } = await sharedTemporal();
  const workflowId = `malformed-${newOrgId()}`;
  const { taskQueue } = worker.deployment;
  return client.workflow.start(workflowType, { workflowId, taskQueue, args, ...options });
}

const idOf = ({ orgId, sourceOrgId }: PrepareRequest) => ({ workflowId: workflowIdFor(orgId, sourceOrgId) });

/** Starts a run of a valid request with other options than a caller should set, and records what it calls. */
async function startWith(options: Partial<WorkflowStartOptions>) {
  const request = worker.deployment.newRequest();
  const calls = worker.setScript(request, {});
  const handle = await start(WORKFLOW_TYPES.prepare, [request], { ...idOf(request), ...options });
  return { handle, calls };
}

/** Returns the fields that a run names which ends with InvalidRequest. */
async function refusedFields(handle: Awaited<ReturnType<typeof start>>): Promise<string[]> {
  const { type, unconfirmedTokens, details, message } = await endingOf(handle);
  expect({ type, unconfirmedTokens }).toEqual({ type: 'InvalidRequest', unconfirmedTokens: 0 });
  expect(message.length).toBeLessThan(16 * 1024);
  expect(message).not.toContain('\u001b');
  expect(JSON.stringify(details).length).toBeLessThan(256 * 1024);
  return details?.fields?.map(({ field }) => field) ?? [];
}

describe('a start that could leave a token behind is InvalidRequest:', () => {
  // Temporal bounds a run by its execution timeout too, which the caller did not set.
  it.concurrent.each<[field: string, options: Partial<WorkflowStartOptions>]>([
    ['workflowRunTimeout', { workflowRunTimeout: '1h' }],
    ['workflowExecutionTimeout', { workflowExecutionTimeout: '1h' }],
    ['retryPolicy', { retry: { maximumAttempts: 3 } }],
    ['memo', { memo: { note: 'x'.repeat(17 * 1024) } }],
    ['memo', { memo: { note: 'x'.repeat(1_900_000) } }],
    ['workflowId', { workflowId: 'another' }],
  ])('with its own %s', async (field, options) => {
    const { handle, calls } = await startWith(options);
    expect(await refusedFields(handle)).toEqual([field]);
    expect(calls).toEqual({ creations: 0, sinks: [] });
    expect((await handle.describe()).runId).toBe(handle.firstExecutionRunId);
  });

  it.concurrent('with a cron schedule', async () => {
    const { client } = await sharedTemporal();
    const { handle } = await startWith({ cronSchedule: '@every 1s' });
    const first = client.workflow.getHandle(handle.workflowId, handle.firstExecutionRunId);
    // To its client such a run has continued as the next one of the cron.
    const failure = await eventually('an ending', async () => {
      const { events } = await first.fetchHistory();
      return events?.at(-1)?.workflowExecutionFailedEventAttributes?.failure;
    });
    await handle.terminate();
    expect(failure.applicationFailureInfo?.type).toBe('InvalidRequest');
    expect(failure.message).toContain('cronSchedule is not allowed: ');
  });
});

/** `test/unit/activities/invalid-request.test.ts` has what such input leads to, field by field. */
describe('malformed input is InvalidRequest, and fails no workflow task for ever:', () => {
  const ESCAPE = '\u001b[2J';
  const payload = (encoding: string, text: string) => {
    const encoder = new TextEncoder();
    const metadata = { encoding: encoder.encode(encoding) };
    return RawValue.fromPayload({ metadata, data: encoder.encode(text) });
  };

  it.concurrent.each<[what: string, args: unknown[]]>([
    ['nothing', []],
    ['null', [null]],
    ['a text', ['64f1c0ffee5eed0000000a71']],
    ['an empty request', [{ request: {} }]],

    ['what is encrypted', [payload('binary/encrypted', 'x')]],
    ['what is not JSON', [payload('json/plain', '{')]],
    ['a name of 1.7 MB', [{ [ESCAPE.repeat(170_000)]: 0 }]],
    ['a text of 1.7 MB', [{ requestedBy: 'x'.repeat(1_700_000) }]],
    ['100,000 entries', [{ accessListIps: Array(100_000).fill('192.31.196.77') }]],
  ])('%s', async (_what, args) => {
    expect(await refusedFields(await start(WORKFLOW_TYPES.prepare, args))).not.toEqual([]);
  });

  it.concurrent.each(['no run id', false, 5])('again that is %p', async (again) => {
    const request = worker.deployment.newRequest();
    const handle = await start(WORKFLOW_TYPES.prepare, [{ ...request, again }], idOf(request));
    expect(await refusedFields(handle)).toEqual(['again']);
  });

  it.concurrent.each([
    ['is encrypted', payload('binary/encrypted', 'x')],
    ['is not JSON', payload('json/plain', '{')],
  ])('of a schedule, when it %s', async (_what, input) => {
    expect(await refusedFields(await start(WORKFLOW_TYPES.prepareOnSchedule, [input]))).not.toEqual([]);
  });

  it.concurrent.each<[workflowType: string, inputOf: (request: PrepareRequest) => object]>([
    [WORKFLOW_TYPES.prepare, (request) => request],
    [WORKFLOW_TYPES.prepareOnSchedule, (request) => ({ request, always: true })],
    [WORKFLOW_TYPES.checkWorker, (request) => request],
  ])('of %s, with an entry nested too deep to be passed on', async (workflowType, inputOf) => {
    const request = worker.deployment.newRequest({ accessListIps: ['NESTED'] });
    const nested = '['.repeat(50_000) + ']'.repeat(50_000);
    const input = payload('json/plain', JSON.stringify(inputOf(request)).replace('"NESTED"', nested));
    const options = workflowType === WORKFLOW_TYPES.prepare ? idOf(request) : {};
    expect(await refusedFields(await start(workflowType, [input], options))).not.toEqual([]);
  });
});

it('a run of a workflow type that no worker has ends at once, and names those that exist', async () => {
  await expect((await start('prepareLiveMigrations', [])).result()).rejects.toMatchObject({
    cause: { type: 'UnknownWorkflowType', message: expect.stringContaining('prepareLiveMigration,') },
  });
});
