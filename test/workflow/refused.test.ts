import type { WorkflowStartOptions } from '@temporalio/client';
import { RawValue } from '@temporalio/common';
import { workflowIdFor } from '../../src/contract/workflow-id';
import { WORKFLOW_TYPES } from '../../src/contract/workflows';
import { eventually } from '../support/eventually';
import { newOrgId } from '../support/ids';
import { endingOf, startAndAwait } from '../support/runs';
import { sharedTemporal } from '../support/temporal';
import { HUGE } from './attempts';
import { worker } from './shared-worker';

const { prepare, prepareOnSchedule, checkWorker } = WORKFLOW_TYPES;

/** Starts any workflow type with any arguments, as a caller in another language can. */
async function start(
  workflowType: string,
  args: unknown[],
  options: Partial<WorkflowStartOptions> = {},
) {
  const { client } = await sharedTemporal();
  const workflowId = `malformed-${newOrgId()}`;
  const { taskQueue } = worker().installation;
  return client.workflow.start(workflowType, { workflowId, taskQueue, args, ...options });
}

/**
 * Starts a run of a valid request with start options that a caller must not set, and records what
 * it calls.
 */
async function startWith(options: Partial<WorkflowStartOptions>) {
  const request = worker().installation.newRequest();
  const calls = worker().setScript(request, {});
  const workflowId = workflowIdFor(request);
  return { calls, handle: await start(prepare, [request], { workflowId, ...options }) };
}

/** Waits until a run ends with InvalidRequest. Returns the fields that it names. */
async function refusedFields(handle: Awaited<ReturnType<typeof start>>): Promise<string[]> {
  const { type, unconfirmedTokens, details, message } = await endingOf(handle);
  expect({ type, unconfirmedTokens }).toEqual({ type: 'InvalidRequest', unconfirmedTokens: 0 });
  expect(message.length).toBeLessThan(16 * 1024);
  expect(JSON.stringify(details).length).toBeLessThan(256 * 1024);
  return details?.fields?.map(({ field }) => field) ?? [];
}

describe('a start option that could leave a token behind is refused:', () => {
  it.concurrent.each<[field: string, what: string, options: Partial<WorkflowStartOptions>]>([
    ['workflowRunTimeout', 'of an hour', { workflowRunTimeout: '1h' }],
    // Temporal bounds a run by its execution timeout too, which the caller did not set.
    ['workflowExecutionTimeout', 'of an hour', { workflowExecutionTimeout: '1h' }],
    ['retryPolicy', 'of three attempts', { retry: { maximumAttempts: 3 } }],
    ['memo', 'of 17 KB', { memo: { note: 'x'.repeat(17 * 1024) } }],
    ['memo', 'of 2 MB', { memo: { note: HUGE } }],
    ['memo', 'with a field of the run', { memo: { deliveryId: 'x' } }],
    ['workflowId', 'of its own', { workflowId: 'another' }],
  ])('%s %s', async (field, _what, options) => {
    const { handle, calls } = await startWith(options);
    expect(await refusedFields(handle)).toEqual([field]);
    expect(calls).toEqual({ creations: 0, sinks: [], revocations: 0 });
    expect((await handle.describe()).runId).toBe(handle.firstExecutionRunId);
  });

  // The run ends in its first activation, which has the Update too.
  it.concurrent('workflowRunTimeout, and the Update that started the run says so', async () => {
    const { installation } = worker();
    const runOptions = { ...installation.runOptions, workflowRunTimeout: '1h' } as const;
    const outcome = await startAndAwait({ ...installation, runOptions }, installation.newRequest());
    expect(outcome).toMatchObject({
      type: 'InvalidRequest',
      message: expect.stringContaining('workflowRunTimeout is not allowed'),
    });
  });

  it.concurrent('cronSchedule', async () => {
    const { client } = await sharedTemporal();
    const { handle } = await startWith({ cronSchedule: '@every 1s' });
    const first = client.workflow.getHandle(handle.workflowId, handle.firstExecutionRunId);
    // For its client, such a run goes on as the next run of the cron schedule.
    const failure = await eventually('an ending', async () => {
      const { events } = await first.fetchHistory();
      return events?.at(-1)?.workflowExecutionFailedEventAttributes?.failure;
    });
    await handle.terminate();
    expect(failure.applicationFailureInfo?.type).toBe('InvalidRequest');
    expect(failure.message).toContain('cronSchedule is not allowed: ');
  });
});

/** `validate-fields.test.ts` and `validate-request.test.ts` test such input field by field. */
describe('malformed input is an InvalidRequest, and fails no workflow task:', () => {
  const payload = (encoding: string, text: string) => {
    const encoder = new TextEncoder();
    const metadata = { encoding: encoder.encode(encoding) };
    return RawValue.fromPayload({ metadata, data: encoder.encode(text) });
  };
  const encrypted = payload('binary/encrypted', 'x');
  const broken = payload('json/plain', '{');
  const nested = payload('json/plain', '['.repeat(50_000) + ']'.repeat(50_000));

  it.concurrent.each<[workflowType: string, what: string, ...args: unknown[]]>([
    [prepare, 'null', null],
    [prepare, 'an encrypted payload', encrypted],
    [prepare, 'a payload that is not JSON', broken],
    [prepare, 'an array nested too deep', nested],
    [prepareOnSchedule, 'an encrypted payload', encrypted],
    [prepareOnSchedule, 'a payload that is not JSON', broken],
    [checkWorker, 'an array nested too deep', nested],
  ])('%s with %s', async (workflowType, _what, ...args) => {
    expect(await refusedFields(await start(workflowType, args))).not.toEqual([]);
  });

  it.concurrent.each<[what: string, fields: string[], ...args: unknown[]]>([
    ['a name of 1.7 MB', ['request'], { ['\u001b'.repeat(280_000)]: 0 }],
    [
      'a list of 100,000 entries',
      ['request'],
      { accessListIps: Array(100_000).fill('192.31.196.77') },
    ],
  ])('%s is not parsed', async (_what, fields, ...args) => {
    expect(await refusedFields(await start(prepare, args))).toEqual(fields);
  });

  it.concurrent('a schedule whose request has an entry nested too deep', async () => {
    const request = worker().installation.newRequest({ accessListIps: ['NESTED'] });
    const text = JSON.stringify({ request, always: true });
    const entry = '['.repeat(50_000) + ']'.repeat(50_000);
    const input = payload('json/plain', text.replace('"NESTED"', entry));
    expect(await refusedFields(await start(prepareOnSchedule, [input]))).not.toEqual([]);
  });
});

it('a run of an unknown workflow type ends at once and names the known ones', async () => {
  await expect((await start('prepareLiveMigrations', [])).result()).rejects.toMatchObject({
    cause: {
      type: 'UnknownWorkflowType',
      message: expect.stringContaining('prepareLiveMigration,'),
    },
  });
});
