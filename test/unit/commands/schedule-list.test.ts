import type { Client } from '@temporalio/client';
import { defaultPayloadConverter } from '@temporalio/common';
import { optionalDateToTs } from '@temporalio/common/lib/time';
import { createOutput } from '../../../src/commands/cli/output';
import { createStop } from '../../../src/commands/cli/stop';
import { listSchedules } from '../../../src/commands/schedule-list';
import { WORKFLOW_TYPES } from '../../../src/contract/names';
import { GRPC } from '../../../src/temporal/grpc';

const TASK_QUEUE = 'prep';
const RUN = { workflowId: 'a/schedule-1', runId: 'b' };
const AT = '2027-01-01T07:00:00.000Z';
const TIME = optionalDateToTs(new Date(AT));

interface Scheduled {
  type?: string;
  taskQueue?: string;
  paused?: boolean;
  next?: boolean;
  /** Of its last run. */
  status?: string;
  /** The last event of that run. */
  event?: object;
}

const gone = () =>
  Promise.reject(Object.assign(new Error(), { code: GRPC.notFound, details: '', metadata: {} }));

/** A server with these schedules, one a page; null is one that was deleted after it was listed. */
function clientOf(schedules: readonly (Scheduled | null)[]): Client {
  const listSchedules = ({ nextPageToken }: { nextPageToken: Uint8Array }) => {
    const page = nextPageToken[0] ?? 0;
    const more = page + 1 < schedules.length;
    return Promise.resolve({
      schedules: [{ scheduleId: `schedule-${page}` }],
      nextPageToken: Uint8Array.from(more ? [page + 1] : []),
    });
  };
  const scheduleOf = (scheduleId: string) => schedules[Number(scheduleId.split('-')[1])];
  const describeSchedule = ({ scheduleId }: { scheduleId: string }) => {
    const scheduled = scheduleOf(scheduleId);
    if (!scheduled) return gone();
    const {
      type = WORKFLOW_TYPES.prepareOnSchedule,
      taskQueue = TASK_QUEUE,
      paused,
      next,
      status,
    } = scheduled;
    return Promise.resolve({
      schedule: {
        action: { startWorkflow: { workflowType: { name: type }, taskQueue: { name: taskQueue } } },
        state: { paused },
      },
      info: {
        futureActionTimes: next ? [TIME] : [],
        recentActions: status ? [{ actualTime: TIME, startWorkflowResult: RUN }] : [],
      },
    });
  };
  const [last] = schedules;
  const describe = () =>
    last?.status === 'GONE' ? gone() : Promise.resolve({ status: { name: last?.status } });
  const getWorkflowExecutionHistory = () => Promise.resolve({ history: { events: [last?.event] } });
  const workflowService = { listSchedules, describeSchedule, getWorkflowExecutionHistory };
  return {
    options: { namespace: 'default' },
    workflowService,
    connection: { workflowService },
    workflow: { getHandle: () => ({ describe }) },
  } as unknown as Client;
}

async function listed(json: boolean, ...schedules: (Scheduled | null)[]): Promise<string> {
  let text = '';
  const stdout = { write: (written: string) => (text += written) };
  const stderr = { write: () => undefined };
  const output = createOutput({ stdout, stderr }, json, createStop(), (line) => line);
  await listSchedules({ client: clientOf(schedules), taskQueue: TASK_QUEUE, output });
  return text;
}

it('schedule list reads every page, and passes over what is of others or gone', async () => {
  const text = await listed(true, {}, { type: 'foreign' }, null, { taskQueue: 'other' }, {});
  const ids = text.match(/schedule-\d/g);
  expect(ids).toEqual(['schedule-0', 'schedule-4']);
});

const result = (outcome: string) => ({
  workflowExecutionCompletedEventAttributes: {
    result: { payloads: [defaultPayloadConverter.toPayload({ outcome })] },
  },
});
const failure = (type: string) => ({
  workflowExecutionFailedEventAttributes: { failure: { applicationFailureInfo: { type } } },
});

it.each<[scheduled: Scheduled, next: string, last: string]>([
  [{ next: true }, AT, 'never'],
  [{ next: false }, 'never again', 'never'],
  [{ next: true, paused: true }, 'paused', 'never'],
  [{ status: 'RUNNING' }, 'never again', `${AT} running`],
  [{ status: 'PAUSED' }, 'never again', `${AT} running`],
  [{ status: 'TERMINATED' }, 'never again', `${AT} terminated`],
  [{ status: 'FAILED', event: failure('AtlasRequestRejected') }, 'never again', `${AT} AtlasRequestRejected`],
  [{ status: 'COMPLETED', event: result('alreadyLinked') }, 'never again', `${AT} alreadyLinked`],
  [{ status: 'COMPLETED' }, 'never again', `${AT} unknown: its history is gone`],
  [{ status: 'GONE' }, 'never again', `${AT} unknown: its history is gone`],
])(
  'of a schedule with %j it says when it runs next, and how it ended last',
  async (scheduled, next, last) => {
    const text = await listed(false, scheduled);
    expect(text).toMatch(new RegExp(`^ {2}next +${next}$`, 'm'));
    expect(text).toMatch(new RegExp(`^ {2}last +${last}$`, 'm'));
  },
);
