import type { WorkflowStartOptions } from '@temporalio/client';
import { RawValue } from '@temporalio/common';
import { WORKFLOW_TYPES, workflowIdFor } from '../../../src/contract/names';
import type { PrepareRequest } from '../../../src/contract/schemas';
import { atOnce } from '../../support/at-once';
import type { TestAtlas } from '../../support/atlas';
import type { Deployment, Handle } from '../../support/deployment';
import { endingOf } from '../../support/ending';
import { eventually } from '../../support/eventually';
import { newOrgId } from '../../support/ids';
import { sharedTemporal, startInstallation } from '../../support/installation';
import { temporalCli } from '../../support/temporal-cli';

let atlas: TestAtlas;
let deployment: Deployment;

beforeAll(async () => {
  ({ atlas, deployment } = await startInstallation());
});

/** Starts any workflow type with any arguments, as a caller in another language can. */
async function start(workflowType: string, args: unknown[], options: Partial<WorkflowStartOptions> = {}) {
  const { client } = await sharedTemporal();
  return client.workflow.start(workflowType, {
    workflowId: `malformed-${newOrgId()}`,
    taskQueue: deployment.taskQueue,
    args,
    ...options,
  });
}

const idOf = ({ orgId, sourceOrgId }: PrepareRequest) => ({ workflowId: workflowIdFor(orgId, sourceOrgId) });

/** Returns the failure of a run that ends with InvalidRequest, before Atlas has seen anything. */
async function refusedFields(handle: Pick<Handle, 'result'>): Promise<string[]> {
  const { type, unconfirmedTokens, details, message } = await endingOf(handle);
  expect({ type, unconfirmedTokens }).toEqual({ type: 'InvalidRequest', unconfirmedTokens: 0 });
  expect(message.length).toBeLessThan(16 * 1024);
  expect(message).not.toContain('\u001b');
  expect(JSON.stringify(details).length).toBeLessThan(256 * 1024);
  expect(atlas.requests()).toHaveLength(0);
  return details?.fields?.map(({ field }) => field) ?? [];
}

const startWith = (options: Partial<WorkflowStartOptions>, request = deployment.newRequest()) =>
  start(WORKFLOW_TYPES.prepare, [request], { ...idOf(request), ...options });

async function expectNotAllowed(handle: Pick<Handle, 'result'>, field: string): Promise<void> {
  expect(await refusedFields(handle)).toEqual([field]);
  expect((await endingOf(handle)).message).toContain(`${field} is not allowed: `);
}

describe('a start that could leave a token behind is refused before anything is created', () => {
  atOnce({
    async 'with a run timeout'() {
      await expectNotAllowed(await startWith({ workflowRunTimeout: '1h' }), 'workflowRunTimeout');
    },

    async 'with an execution timeout'() {
      const handle = await startWith({ workflowExecutionTimeout: '1h' });
      // Temporal bounds a run by its execution timeout too, which the caller did not set.
      expect(await refusedFields(handle)).toEqual(['workflowExecutionTimeout']);
    },

    async 'with a retry policy, and Temporal does not start it again'() {
      const handle = await startWith({ retry: { maximumAttempts: 3 } });
      await expectNotAllowed(handle, 'retryPolicy');
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

/** The tests of the other workflows say what they do with such input. */
describe(`${WORKFLOW_TYPES.prepare} is refused with the fields named`, () => {
  it.each<[what: string, args: unknown[]]>([
    ['nothing', []],
    ['null', [null]],
    ['a text', ['64f1c0ffee5eed0000000a71']],
    ['an empty object', [{}]],
    ['an empty request', [{ request: {} }]],
  ])('with %s for an input', async (_what, args) => {
    expect(await refusedFields(await start(WORKFLOW_TYPES.prepare, args))).not.toEqual([]);
  });
});

/** Somewhat less than the server accepts as the input of a workflow. */
const SIZE = 1_700_000;
/** Characters that a terminal would act on. */
const ESCAPE = '\u001b[2J';

describe('a request cannot wedge its run', () => {
  const largeRequests: [what: string, more: () => object][] = [
    [
      'of unknown names',
      () => Object.fromEntries(Array.from({ length: SIZE / 20 }, (_, i) => [`name${ESCAPE}${i}`, 0])),
    ],
    ['in one unknown name', () => ({ [ESCAPE.repeat(SIZE / 10)]: 0 })],
    ['in one text', () => ({ requestedBy: 'x'.repeat(SIZE) })],
    ['in the name of a sink', () => ({ sink: 'x'.repeat(SIZE) })],
    ['of entries', () => ({ accessListIps: Array(100_000).fill('192.31.196.77') })],
    ['in a thousand entries', () => ({ accessListIps: Array(1000).fill(ESCAPE.repeat(SIZE / 10_000)) })],
  ];

  it.each(largeRequests)('of 1.7 MB %s', async (_what, more) => {
    const request = { ...deployment.newRequest(), ...more() };
    expect(await refusedFields(await start(WORKFLOW_TYPES.prepare, [request], idOf(request)))).not.toEqual(
      [],
    );
  });

  it.each<[workflowType: string, inputOf: (request: PrepareRequest) => object]>([
    [WORKFLOW_TYPES.prepare, (request) => request],
    [WORKFLOW_TYPES.prepareOnSchedule, (request) => ({ request, always: true })],
    [WORKFLOW_TYPES.checkWorker, (request) => request],
  ])('of %s with an entry nested too deep to be passed on', async (workflowType, inputOf) => {
    const request = deployment.newRequest({ accessListIps: ['NESTED'] });
    const json = JSON.stringify(inputOf(request)).replace(
      '"NESTED"',
      '['.repeat(50_000) + ']'.repeat(50_000),
    );
    const handle = await start(
      workflowType,
      [RawValue.fromPayload(payloadOf('json/plain', json))],
      workflowType === WORKFLOW_TYPES.prepare ? idOf(request) : {},
    );
    expect(await refusedFields(handle)).not.toEqual([]);
  });
});

describe.each([WORKFLOW_TYPES.prepare, WORKFLOW_TYPES.prepareOnSchedule])(
  '%s is refused, and does not wait for ever',
  (workflowType) => {
    it.each([
      ['is encrypted', 'binary/encrypted', 'x'],
      ['is not JSON', 'json/plain', '{'],
    ])('when its input %s', async (_what, encoding, text) => {
      const input = RawValue.fromPayload(payloadOf(encoding, text));
      expect(await refusedFields(await start(workflowType, [input]))).not.toEqual([]);
    });
  },
);

it.each(['null', '{}', '[1]'])('a creation that somebody completes with %s ends its run', async (result) => {
  atlas.faults({ on: 'linkTokens', delayMs: 30_000 });
  const handle = await deployment.start();
  const activityId = await eventually('the creation', async () => {
    const { pendingActivities } = (await handle.describe()).raw;
    return pendingActivities?.find(({ activityType }) => activityType?.name === 'createLinkToken')
      ?.activityId;
  });
  const { address } = await sharedTemporal();
  const target = ['--workflow-id', handle.workflowId, '--activity-id', activityId];
  const { code } = await temporalCli(address, 'activity', 'complete', ...target, '--result', result);
  expect(code).toBe(0);
  expect(await endingOf(handle)).toMatchObject({ type: 'TokenLost', unconfirmedTokens: 1 });
});

function payloadOf(encoding: string, text: string) {
  const encoder = new TextEncoder();
  return { metadata: { encoding: encoder.encode(encoding) }, data: encoder.encode(text) };
}
