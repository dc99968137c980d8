import { randomUUID } from 'node:crypto';
import type { Client } from '@temporalio/client';
import { msNumberToTs } from '@temporalio/common/lib/time';
import { eventually } from '../support/eventually';
import { sharedTemporal } from '../support/temporal';

/*
 * Rules of Temporal's server that test/workflow/simulation assumes, tried by workers that poll and
 * respond by hand.
 */

type Respond = Client['workflowService']['respondWorkflowTaskCompleted'];
type Command = NonNullable<Parameters<Respond>[0]['commands']>[number];

/** Numbers of Temporal's API, COMMAND_TYPE_* and RESET_REAPPLY_TYPE_*. */
const COMMAND_TYPES = { scheduleActivity: 1, cancelActivity: 2, startTimer: 3, startChild: 11 };
const ALL_ELIGIBLE = 3 as never;

const command = (type: keyof typeof COMMAND_TYPES, attributes: object) =>
  ({ commandType: COMMAND_TYPES[type], ...attributes }) as unknown as Command;
const startTimer = command('startTimer', {
  startTimerCommandAttributes: { timerId: '1', startToFireTimeout: msNumberToTs(3_600_000) },
});
const cancelActivity = command('cancelActivity', {
  // The first workflow task has the events 2 to 4.
  requestCancelActivityTaskCommandAttributes: { scheduledEventId: 5 },
});

const namespace = 'default';
const FINAL = { message: 'final', applicationFailureInfo: { nonRetryable: true } };
const retryIn = (ms: number) => ({
  message: 'again',
  applicationFailureInfo: { nextRetryDelay: msNumberToTs(ms) },
});
/** Longer than the busiest machine needs for the two attempts before its end. */
const WAIT = msNumberToTs(20_000);
const SOON = { initialInterval: msNumberToTs(10) };

/** Starts a run on a task queue of its own. */
async function startRun() {
  const { client } = await sharedTemporal();
  const { workflowService: service } = client;
  const workflowId = randomUUID();
  const taskQueue = { name: workflowId };
  const started = await client.workflow.start('byHand', { workflowId, taskQueue: workflowId });
  const execution = { workflowId, runId: started.firstExecutionRunId };
  const handle = client.workflow.getHandle(workflowId, execution.runId);
  /** A poll needs a deadline. */
  const poll = <T>(call: () => Promise<T>) => client.withDeadline(Date.now() + 600_000, call);
  const pollTask = () => poll(() => service.pollWorkflowTaskQueue({ namespace, taskQueue }));
  const listEvents = async () => (await handle.fetchHistory()).events ?? [];

  const run = {
    service,
    execution,
    listEvents,
    pollTask,
    pollAttempt: () => poll(() => service.pollActivityTaskQueue({ namespace, taskQueue })),
    describe: (of: object) => service.describeWorkflowExecution({ namespace, execution: of }),
    requestCancel: () => handle.cancel(),
    terminate: () => handle.terminate(),
    async command(...commands: Command[]): Promise<void> {
      const { taskToken } = await pollTask();
      await service.respondWorkflowTaskCompleted({ namespace, taskToken, commands });
    },
    schedule(options: object = {}): Promise<void> {
      const limit = msNumberToTs(60_000);
      const attributes = {
        ...{ activityId: '1', activityType: { name: 'work' }, taskQueue },
        ...{ scheduleToCloseTimeout: limit, startToCloseTimeout: limit, retryPolicy: SOON },
        ...options,
      };
      return run.command(
        command('scheduleActivity', { scheduleActivityTaskCommandAttributes: attributes }),
      );
    },
    async reset() {
      const task = (await listEvents()).find((event) => event.workflowTaskCompletedEventAttributes);
      return service.resetWorkflowExecution({
        ...{ namespace, workflowExecution: execution, requestId: randomUUID() },
        ...{ workflowTaskFinishEventId: task?.eventId ?? null, resetReapplyType: ALL_ELIGIBLE },
      });
    },
    fail: (taskToken: Uint8Array, failure: object) =>
      service.respondActivityTaskFailed({ namespace, taskToken, failure }),
    /** Lists the events beside those of workflow tasks, such as `timerStarted`. */
    async events(): Promise<string[]> {
      const names = (await listEvents()).flatMap((event) => Object.keys(event));
      return names.flatMap(
        (name) => /^(?!workflowTask)(\w+)EventAttributes$/.exec(name)?.[1] ?? [],
      );
    },
    /** Waits for the event with which the activity ends. */
    activityEnd: () =>
      eventually('the end of the activity', async () =>
        (await run.events()).find((name) => /^activityTask(Comp|Fail|Timed|Canceled)/.test(name)),
      ),
  };
  return run;
}

/** Starts a run with an attempt under way. */
async function startAttempt(options?: object) {
  const run = await startRun();
  await run.schedule(options);
  const { taskToken } = await run.pollAttempt();
  return { run, taskToken };
}

describe('Temporal', () => {
  it.concurrent('brings a cancel once, after the commands of the task under way', async () => {
    const run = await startRun();
    const { taskToken } = await run.pollTask();
    await run.requestCancel();
    await run.requestCancel();
    const commands = [startTimer];
    await run.service.respondWorkflowTaskCompleted({ namespace, taskToken, commands });
    expect(await run.events()).toEqual([
      'workflowExecutionStarted',
      'timerStarted',
      'workflowExecutionCancelRequested',
    ]);
  });

  it.concurrent.each([
    ['brings a cancel before that task again', true],
    ['brings no cancel after it again', false],
  ])('terminates a run that is reset to its first task, and %s', async (_what, isAgain) => {
    const run = await startRun();
    if (isAgain) await run.requestCancel();
    await run.command(startTimer);
    if (!isAgain) await run.requestCancel();
    const { runId } = await run.reset();
    const again = await run.describe({ ...run.execution, runId });
    expect(again.workflowExtendedInfo).toMatchObject({ cancelRequested: isAgain });
    expect((await run.events()).at(-1)).toBe('workflowExecutionTerminated');
  });

  it.concurrent('refuses a timeout below 0', async () => {
    const run = await startRun();
    const scheduling = run.schedule({ scheduleToCloseTimeout: msNumberToTs(-1000) });
    await expect(scheduling).rejects.toThrow('INVALID_ARGUMENT');
  });

  it.concurrent('hands out an attempt before the task that would cancel it', async () => {
    const run = await startRun();
    await run.schedule();
    await run.requestCancel();
    const { taskToken } = await run.pollAttempt();
    await run.command(cancelActivity);
    const heartbeat = await run.service.recordActivityTaskHeartbeat({ namespace, taskToken });
    expect(heartbeat).toMatchObject({ cancelRequested: true });
    await run.service.respondActivityTaskCanceled({ namespace, taskToken });
    expect(await run.activityEnd()).toBe('activityTaskCanceled');
  });

  it.concurrent('cancels an activity without an attempt at once', async () => {
    const { run, taskToken } = await startAttempt();
    await run.fail(taskToken, retryIn(50_000));
    await run.requestCancel();
    await run.command(cancelActivity);
    expect((await run.events()).at(-1)).toBe('activityTaskCanceled');
  });

  it.concurrent('refuses a cancellation that nobody requested', async () => {
    const { run, taskToken } = await startAttempt();
    const report = run.service.respondActivityTaskCanceled({ namespace, taskToken });
    await expect(report).rejects.toThrow('INVALID_ARGUMENT');
  });

  it.concurrent('refuses what an attempt says after its end, which brings its start', async () => {
    const { run, taskToken } = await startAttempt();
    expect(await run.events()).not.toContain('activityTaskStarted');
    const byHand = { namespace, ...run.execution, activityId: '1' };
    await run.service.respondActivityTaskCompletedById(byHand);
    expect(await run.events()).toEqual([
      'workflowExecutionStarted',
      'activityTaskScheduled',
      'activityTaskStarted',
      'activityTaskCompleted',
    ]);
    const report = { namespace, taskToken };
    await expect(run.service.recordActivityTaskHeartbeat(report)).rejects.toThrow('NOT_FOUND');
    await expect(run.service.respondActivityTaskCompleted(report)).rejects.toThrow('NOT_FOUND');
  });

  it.concurrent('refuses the heartbeat of an attempt of a terminated run', async () => {
    const { run, taskToken } = await startAttempt();
    await run.terminate();
    const heartbeat = run.service.recordActivityTaskHeartbeat({ namespace, taskToken });
    await expect(heartbeat).rejects.toThrow('NOT_FOUND');
  });

  it.concurrent.each<[what: string, failure: object, isCancelled: boolean]>([
    ['that is not retryable', FINAL, false],
    ['whose delay ends after schedule-to-close', retryIn(61_000), false],
    ['after a cancel', retryIn(10), true],
  ])('retries no failure %s', async (_what, failure, isCancelled) => {
    const { run, taskToken } = await startAttempt();
    if (isCancelled) await run.requestCancel();
    if (isCancelled) await run.command(cancelActivity);
    await run.fail(taskToken, failure);
    expect(await run.activityEnd()).toBe('activityTaskFailed');
  });

  it.concurrent('retries a failure after the delay that it names', async () => {
    const retryPolicy = { initialInterval: msNumberToTs(3_600_000) };
    const { run, taskToken } = await startAttempt({ retryPolicy });
    await run.fail(taskToken, retryIn(10));
    expect(await run.pollAttempt()).toMatchObject({ attempt: 2 });
  });

  it.concurrent.each([
    ['heartbeatTimeout', 'TemporalTimeout:Heartbeat'],
    ['startToCloseTimeout', 'TemporalTimeout:StartToClose'],
  ])('retries a lost attempt (%s) unless its type forbids that', async (timeout, type) => {
    const limit = { [timeout]: msNumberToTs(1000) };
    const retryPolicy = { ...SOON, nonRetryableErrorTypes: [type] };
    const { run: retried } = await startAttempt(limit);
    const { run: lost } = await startAttempt({ ...limit, retryPolicy });
    expect(await lost.activityEnd()).toBe('activityTaskTimedOut');
    expect(await retried.pollAttempt()).toMatchObject({ attempt: 2 });
  });

  it.concurrent(
    'cuts an attempt off at schedule-to-close, and names the failure before',
    async () => {
      const { run, taskToken } = await startAttempt({ scheduleToCloseTimeout: WAIT });
      await run.fail(taskToken, retryIn(10));
      await run.pollAttempt();
      await run.activityEnd();
      expect((await run.listEvents()).at(-2)?.activityTaskTimedOutEventAttributes).toMatchObject({
        failure: { timeoutFailureInfo: { timeoutType: 3 }, cause: { message: 'again' } },
      });
    },
  );

  it.concurrent('says to a first attempt that it was reset, and retries its failure', async () => {
    const { run, taskToken } = await startAttempt();
    await run.service.resetActivity({ namespace, execution: run.execution, id: '1' });
    const heartbeat = await run.service.recordActivityTaskHeartbeat({ namespace, taskToken });
    expect(heartbeat).toMatchObject({ activityReset: true });
    await run.fail(taskToken, retryIn(10));
    expect(await run.pollAttempt()).toMatchObject({ attempt: 2 });
  });

  it.concurrent(
    'refuses what a later attempt says once it was reset, and counts anew',
    async () => {
      const { run, taskToken: first } = await startAttempt({ heartbeatTimeout: WAIT });
      await run.fail(first, retryIn(10));
      await run.fail((await run.pollAttempt()).taskToken, retryIn(10));
      const { taskToken } = await run.pollAttempt();
      await run.service.resetActivity({ namespace, execution: run.execution, id: '1' });
      const report = { namespace, taskToken };
      await expect(run.service.recordActivityTaskHeartbeat(report)).rejects.toThrow('NOT_FOUND');
      await expect(run.service.respondActivityTaskCompleted(report)).rejects.toThrow('NOT_FOUND');
      expect(await run.pollAttempt()).toMatchObject({ attempt: 2 });
    },
  );

  it.concurrent('refuses a child while a run of its id is open, with cause 1', async () => {
    const { workflowId } = (await startRun()).execution;
    const parent = await startRun();
    const child = { workflowId, workflowType: { name: 'byHand' }, taskQueue: { name: workflowId } };
    const attributes = { startChildWorkflowExecutionCommandAttributes: child };
    await parent.command(command('startChild', attributes));
    const { startChildWorkflowExecutionFailedEventAttributes: refusal } = await eventually(
      'the refusal',
      async () =>
        (await parent.listEvents()).find(
          (event) => event.startChildWorkflowExecutionFailedEventAttributes,
        ),
    );
    expect(refusal).toMatchObject({ cause: 1 });
  });
});
