import type { WorkflowStartOptions } from '@temporalio/client';
import { WORKFLOW_TYPES, workflowIdFor } from '../../../src/contract/names';
import { atOnce } from '../../support/at-once';
import type { TestAtlas } from '../../support/atlas';
import type { Deployment, Handle } from '../../support/deployment';
import { endingOf } from '../../support/ending';
import { eventually } from '../../support/eventually';
import { sharedTemporal, startSetting } from '../../support/setting';

let atlas: TestAtlas;
let deployment: Deployment;

beforeAll(async () => {
  ({ atlas, deployment } = await startSetting());
});

async function startWith(options: Partial<WorkflowStartOptions>, request = deployment.newRequest()) {
  const { client } = await sharedTemporal();
  return client.workflow.start(WORKFLOW_TYPES.prepare, {
    workflowId: workflowIdFor(request.orgId, request.sourceOrgId),
    taskQueue: deployment.taskQueue,
    args: [request],
    ...options,
  });
}

async function expectRefused(handle: Pick<Handle, 'result'>, field: string): Promise<void> {
  const { type, message, details } = await endingOf(handle);
  expect(type).toBe('InvalidRequest');
  // Temporal bounds a run by its execution timeout too.
  expect(details?.fields?.map((problem) => problem.field)).toContain(field);
  expect(message).toContain(`${field} is not allowed: `);
}

describe('a start that could leave a token behind is refused before anything is created', () => {
  atOnce({
    async 'with a run timeout'() {
      await expectRefused(await startWith({ workflowRunTimeout: '1h' }), 'workflowRunTimeout');
    },

    async 'with an execution timeout'() {
      await expectRefused(await startWith({ workflowExecutionTimeout: '1h' }), 'workflowExecutionTimeout');
    },

    async 'with a retry policy, and Temporal does not start it again'() {
      const handle = await startWith({ retry: { maximumAttempts: 3 } });
      await expectRefused(handle, 'retryPolicy');
      expect((await handle.describe()).runId).toBe(handle.firstExecutionRunId);
    },

    async 'with a cron schedule'() {
      const { client } = await sharedTemporal();
      const handle = await startWith({ cronSchedule: '@every 1s' });
      // To its client such a run has continued as the next one of the cron.
      const failure = await eventually('an ending', async () => {
        const { events } = await client.workflow
          .getHandle(handle.workflowId, handle.firstExecutionRunId)
          .fetchHistory();
        return events?.at(-1)?.workflowExecutionFailedEventAttributes?.failure;
      });
      await handle.terminate();
      expect(failure.applicationFailureInfo?.type).toBe('InvalidRequest');
      expect(failure.message).toContain('cronSchedule is not allowed: ');
    },

    async 'under another workflow id than the usual one'() {
      const request = deployment.newRequest();
      const { type, message } = await endingOf(await startWith({ workflowId: 'another' }, request));
      expect(type).toBe('InvalidRequest');
      expect(message).toContain(`workflowId must be ${workflowIdFor(request.orgId, request.sourceOrgId)}: `);
    },
  });
  afterAll(() => expect(atlas.requests()).toEqual([]));
});
