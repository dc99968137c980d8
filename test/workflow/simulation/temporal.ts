import { randomUUID } from 'node:crypto';
import { Client, type ConnectionLike } from '@temporalio/client';
import { msNumberToTs, optionalTsToMs } from '@temporalio/common/lib/time';
import { payloadConverter } from '../../../src/shared/payload-converter';
import type { HistoryEvent } from '../../../src/temporal/run-history';
import { grpcError } from '../../unit/temporal/scripted-server';
import { instantly } from './clock';
import type { Command, Job, RunningWorkflow, StartWorkflow } from './sdk';
import type { Tape } from './tape';

/*
 * Temporal's server and Core, as far as the job sees them. Each rule names its source: `tried` on
 * server 1.32 with SDK 1.24.0, or `documented`. Of a history it keeps the events that src/ reads.
 */

type Payload = ReturnType<typeof payloadConverter.toPayload>;
type Failure = NonNullable<
  NonNullable<HistoryEvent['activityTaskFailedEventAttributes']>['failure']
>;
type ScheduleActivity = NonNullable<Command['scheduleActivity']>;
type TimeoutType = 'START_TO_CLOSE' | 'SCHEDULE_TO_CLOSE' | 'HEARTBEAT';
export type Report = { result: unknown } | { failure: Failure } | { cancelled: true };
type End = Report | { timeout: TimeoutType };

const STATUS_CODES = { RUNNING: 1, COMPLETED: 2, FAILED: 3, CANCELLED: 4, TERMINATED: 5 };
const TIMEOUT_CODES = { START_TO_CLOSE: 1, SCHEDULE_TO_CLOSE: 3, HEARTBEAT: 4 };
const TIMEOUT_NAMES = { START_TO_CLOSE: 'StartToClose', HEARTBEAT: 'Heartbeat' };
const NOT_FOUND = 5;
const UNAVAILABLE = 14;
/** The list of closed runs lags (tried). */
const LIST_LAGS_MS = [0, 700, 3000];
/** Until a worker takes a task: at once, or when one is back. */
const POLL_DELAYS_MS = [10, 60, 10_000];

const encode = (value: unknown): Payload => payloadConverter.toPayload(value);
const decode = (payload: unknown): unknown => payloadConverter.fromPayload(payload as never);
const toMs = (duration: unknown) => optionalTsToMs(duration as never) ?? 0;

export interface Activity {
  run: SimulatedRun;
  type: string;
  id: string;
  args: unknown[];
  options: ScheduleActivity;
  scheduledEventId: number;
  scheduledAtMs: number;
  attempt: number;
  attemptScheduledAtMs: number;
  /** Null while no attempt is under way. */
  startedAtMs: number | null;
  lastHeartbeatMs: number;
  lastFailure: Failure | null;
  isCancelRequested: boolean;
  /** Set once the workflow has an end of it, although it goes on. */
  isForgotten: boolean;
}

/** What workers do with the tasks that they get. */
export interface Workers {
  startWorkflow: StartWorkflow;
  runAttempt(activity: Activity): void;
  runLocal(run: SimulatedRun, type: string, args: unknown[]): Promise<Report>;
}

export class SimulatedTemporal {
  readonly runs: SimulatedRun[] = [];
  readonly client = new Client({ connection: this.connection() });
  /** Of workflow tasks: each would be repeated for ever. */
  readonly errors: unknown[] = [];
  workers!: Workers;
  private awayUntilMs = 0;

  constructor(
    readonly tape: Tape,
    readonly say: (what: string) => void,
  ) {}

  get isAway(): boolean {
    return Date.now() < this.awayUntilMs;
  }

  /** While it is away, it takes no call, and nothing falls due. */
  goAway(ms: number): void {
    this.awayUntilMs = Date.now() + ms;
    this.say('Temporal is away');
    setTimeout(() => this.say('Temporal is back'), ms);
  }

  after(ms: number, work: () => unknown): void {
    setTimeout(() => {
      if (this.isAway) this.after(this.awayUntilMs - Date.now(), work);
      else void work();
    }, ms);
  }

  newestRun(workflowId: string): SimulatedRun | undefined {
    return this.runs.findLast((run) => run.workflowId === workflowId);
  }

  /** Starts a run; null while one of its id is open (conflict policy FAIL). */
  start(
    type: string,
    workflowId: string,
    args: unknown[],
    onClose?: (run: SimulatedRun) => void,
  ): SimulatedRun | null {
    if (this.isAway || this.newestRun(workflowId)?.status === 'RUNNING') return null;
    const run = new SimulatedRun(this, type, workflowId, args, onClose);
    this.runs.push(run);
    return run;
  }

  /**
   * Resets a run to its first workflow task: that terminates the open run of its id, starts again
   * with the same input, and repeats the request of a cancel (tried).
   */
  reset(run: SimulatedRun): void {
    this.newestRun(run.workflowId)?.terminate();
    const again = this.start(run.type, run.workflowId, run.args);
    if (run.isCancelRequested) again?.requestCancel();
  }

  private connection(): ConnectionLike {
    const find = (execution: { workflowId: string; runId?: string }) => {
      const found = execution.runId
        ? this.runs.find(({ runId }) => runId === execution.runId)
        : this.newestRun(execution.workflowId);
      if (!found) throw grpcError(NOT_FOUND, 'no such run');
      return found;
    };
    const serve =
      <Request>(respond: (request: Request) => object) =>
      // eslint-disable-next-line @typescript-eslint/require-await -- a throw must become a rejection
      async (request: Request) => {
        if (this.isAway) throw grpcError(UNAVAILABLE, 'Temporal is away');
        return respond(request);
      };
    type OfRun = { execution: { workflowId: string; runId?: string } };
    const workflowService = {
      describeWorkflowExecution: serve(({ execution }: OfRun) => find(execution).describe()),
      getWorkflowExecutionHistory: serve(({ execution }: OfRun) => ({
        history: { events: find(execution).events },
      })),
      listWorkflowExecutions: serve(({ query }: { query: string }) => ({
        nextPageToken: Buffer.alloc(0),
        executions: this.runs
          .filter(({ type }) => query.includes(`"${type}"`))
          .filter(({ isListedAsClosed }) => isListedAsClosed || !query.includes('CloseTime'))
          .map((run) => run.describe().workflowExecutionInfo)
          .reverse(),
      })),
      recordActivityTaskHeartbeat: serve(({ taskToken }: { taskToken: Uint8Array }) => {
        const [runId, id, attempt] = Buffer.from(taskToken).toString().split(' ');
        const run = this.runs.find((one) => one.runId === runId);
        if (!run?.takeHeartbeat(String(id), Number(attempt))) {
          throw grpcError(NOT_FOUND, 'the attempt is over');
        }
        return {};
      }),
    };
    const call = (_limit: unknown, work: () => Promise<unknown>) => work();
    const connection = { workflowService, withDeadline: call, withAbortSignal: call };
    return connection as unknown as ConnectionLike;
  }
}

export class SimulatedRun {
  readonly runId = randomUUID();
  readonly startMs = Date.now();
  /** The closed runs that the list had when this one started. */
  readonly listedBefore: readonly SimulatedRun[];
  readonly events: HistoryEvent[] = [];
  readonly memo: Record<string, unknown> = {};
  readonly activities = new Map<string, Activity>();
  /** Updates that were accepted, and have no outcome yet. */
  readonly waitingUpdates = new Set<string>();
  /** What the run did, in the order of its history. */
  readonly trace: string[] = [];
  /** When each creation was scheduled. */
  readonly creations: number[] = [];
  readonly timers: { startedMs: number; endMs: number }[] = [];
  status: keyof typeof STATUS_CODES = 'RUNNING';
  closeMs: number | undefined;
  isListedAsClosed = false;
  isCancelRequested = false;
  cancelRequestedMs = Infinity;
  /** The result, or the failure. */
  ending: object = {};
  /** Of the creations whose end a workflow task has brought to the workflow. */
  readonly seenEnds: { activity: Activity; end: End; isByHand: boolean }[] = [];

  private readonly workflow: Promise<RunningWorkflow>;
  private readonly openTimers = new Set<unknown>();
  private readonly updateInputs = new Map<string, unknown>();
  private readonly children = new Map<unknown, SimulatedRun>();
  private unseenEnds: SimulatedRun['seenEnds'] = [];
  private jobs: Job[] = [];
  private isTaskScheduled = false;
  /** The workflow task under way. */
  private task: Promise<void> | null = null;

  constructor(
    private readonly temporal: SimulatedTemporal,
    readonly type: string,
    readonly workflowId: string,
    readonly args: unknown[],
    private readonly onClose?: (run: SimulatedRun) => void,
  ) {
    const payloads = args.map(encode) as never[];
    const { runId } = this;
    this.listedBefore = temporal.runs.filter(({ isListedAsClosed }) => isListedAsClosed);
    this.say(`starts ${type}`);
    this.addEvent({ workflowExecutionStartedEventAttributes: { input: { payloads } } });
    const start = { workflowId, runId, type, args: payloads };
    this.workflow = temporal.workers.startWorkflow(start);
    this.scheduleTask();
  }

  private get isOpen(): boolean {
    return this.status === 'RUNNING';
  }

  private say(what: string): void {
    this.temporal.say(`${this.runId.slice(0, 4)} ${what}`);
  }

  // What people request.

  /**
   * A second request adds nothing (tried). One that comes during a workflow task enters the history
   * after what the task brings (documented).
   */
  requestCancel(): void {
    if (this.task) return void this.task.then(() => this.requestCancel());
    if (!this.isOpen || this.isCancelRequested) return;
    this.say('cancel');
    this.isCancelRequested = true;
    this.cancelRequestedMs = Date.now();
    this.trace.push('cancel');
    this.addEvent({ workflowExecutionCancelRequestedEventAttributes: {} });
    this.addJob({ cancelWorkflow: { reason: '' } });
  }

  terminate(): void {
    if (!this.isOpen) return;
    this.addEvent({ workflowExecutionTerminatedEventAttributes: {} });
    this.close('TERMINATED');
  }

  /** What the validator refuses leaves no trace (tried). */
  update(name: string, ...args: unknown[]): void {
    if (!this.isOpen || this.events.length === 1) return;
    this.say(`${name} ${JSON.stringify(args)}`);
    const id = randomUUID();
    const input = args.map(encode) as never[];
    const meta = { updateId: id, identity: '' };
    const update = { id, protocolInstanceId: id, name, input, meta, runValidator: true };
    this.updateInputs.set(id, args[0]);
    this.addJob({ doUpdate: update });
  }

  /** `temporal activity complete` and `temporal activity fail`, whatever the attempt does (tried). */
  endByHand(report: Report): void {
    const [activity] = this.activities.values();
    if (activity) this.endActivity(activity, report, true);
  }

  describe() {
    const pendingActivities = [...this.activities.values()].map((activity) => ({
      activityId: activity.id,
      lastFailure: activity.lastFailure,
      lastStartedTime: activity.startedAtMs === null ? null : msNumberToTs(activity.startedAtMs),
    }));
    const fields = Object.fromEntries(
      Object.entries(this.memo).map(([name, value]) => [name, encode(value)]),
    );
    return {
      pendingActivities,
      workflowExtendedInfo: { cancelRequested: this.isCancelRequested },
      workflowExecutionInfo: {
        execution: { workflowId: this.workflowId, runId: this.runId },
        type: { name: this.type },
        taskQueue: 'prep',
        status: STATUS_CODES[this.status],
        historyLength: { toNumber: () => this.events.length },
        startTime: msNumberToTs(this.startMs),
        closeTime: this.closeMs === undefined ? null : msNumberToTs(this.closeMs),
        memo: { fields },
      },
    };
  }

  // Workflow tasks.

  private addEvent(attributes: object, atMs = Date.now()): number {
    const eventId = this.events.length + 1;
    const event = { eventId, eventTime: msNumberToTs(atMs), ...attributes };
    this.events.push(event as unknown as HistoryEvent);
    return eventId;
  }

  private addJob(job: Job): void {
    this.jobs.push(job);
    this.scheduleTask();
  }

  /** All that comes before a worker takes the task is one activation, in order (tried). */
  private scheduleTask(): void {
    if (this.isTaskScheduled) return;
    this.isTaskScheduled = true;
    const delayMs = this.temporal.tape.pick(POLL_DELAYS_MS);
    this.temporal.after(delayMs, () => {
      this.task = instantly(() => this.runTask())
        .catch((error: unknown) => void this.temporal.errors.push(error))
        .finally(() => (this.task = null));
    });
  }

  /** Local activities run within the workflow task (documented). */
  private async runTask(): Promise<void> {
    this.isTaskScheduled = false;
    const workflow = await this.workflow;
    this.seenEnds.push(...this.unseenEnds.splice(0));
    let jobs = this.jobs.splice(0);
    do {
      if (!this.isOpen) return;
      const commands = await workflow.activate(jobs, this.events.length);
      const local = commands.flatMap(({ scheduleLocalActivity }) => scheduleLocalActivity ?? []);
      for (const command of commands) this.carryOut(command);
      jobs = await Promise.all(
        local.map(async ({ seq, activityType, arguments: args }) => {
          const given = (args ?? []).map(decode);
          const report = await this.temporal.workers.runLocal(this, String(activityType), given);
          const result = toResolution(report, { id: String(seq), type: String(activityType) });
          return { resolveActivity: { seq, isLocal: true, result } } as Job;
        }),
      );
    } while (jobs.length > 0);
  }

  private carryOut(command: Command): void {
    if (!this.isOpen) return;
    if (command.startTimer) {
      const { seq, startToFireTimeout } = command.startTimer;
      this.openTimers.add(seq);
      const startedMs = Date.now();
      this.timers.push({ startedMs, endMs: startedMs + toMs(startToFireTimeout) });
      const fire = () => this.openTimers.delete(seq) && this.addJob({ fireTimer: { seq } } as Job);
      this.temporal.after(toMs(startToFireTimeout), fire);
    }
    if (command.cancelTimer) this.openTimers.delete(command.cancelTimer.seq);
    if (command.scheduleActivity) this.scheduleActivity(command.scheduleActivity);
    if (command.requestCancelActivity) this.cancelActivity(command.requestCancelActivity.seq);
    if (command.startChildWorkflowExecution) this.startChild(command.startChildWorkflowExecution);
    if (command.cancelChildWorkflowExecution) {
      this.children.get(command.cancelChildWorkflowExecution.childWorkflowSeq)?.requestCancel();
    }
    if (command.modifyWorkflowProperties) {
      const { fields } = command.modifyWorkflowProperties.upsertedMemo ?? {};
      for (const [name, value] of Object.entries(fields ?? {})) this.memo[name] = decode(value);
    }
    if (command.updateResponse) {
      const { protocolInstanceId, accepted } = command.updateResponse;
      const id = String(protocolInstanceId);
      if (accepted) {
        this.waitingUpdates.add(id);
        this.trace.push(`redeliver to ${(this.updateInputs.get(id) as { sink: string }).sink}`);
      } else this.waitingUpdates.delete(id);
    }
    const { completeWorkflowExecution: completed, failWorkflowExecution: failed } = command;
    if (completed) {
      const result = { payloads: [completed.result] };
      this.addEvent({ workflowExecutionCompletedEventAttributes: { result } });
      this.close('COMPLETED', decode(completed.result) as object);
    }
    if (failed) {
      const { failure } = failed;
      this.addEvent({ workflowExecutionFailedEventAttributes: { failure } });
      this.close('FAILED', failure);
    }
    if (command.cancelWorkflowExecution) this.close('CANCELLED');
  }

  private close(status: SimulatedRun['status'], ending: object | null | undefined = null): void {
    this.status = status;
    this.closeMs = Date.now();
    this.ending = ending ?? {};
    this.say(`${status}${'message' in this.ending ? `: ${String(this.ending.message)}` : ''}`);
    // From now on its attempts learn that they are over, and their reports are refused (tried).
    this.activities.clear();
    this.openTimers.clear();
    const isListed = () => (this.isListedAsClosed = true);
    this.temporal.after(this.temporal.tape.pick(LIST_LAGS_MS), isListed);
    this.onClose?.(this);
  }

  // Activities.

  private scheduleActivity(options: ScheduleActivity): void {
    const { activityId, activityType: name, arguments: payloads } = options;
    const attributes = { activityType: { name }, input: { payloads } };
    const activity: Activity = {
      run: this,
      type: String(name),
      id: String(activityId),
      args: (payloads ?? []).map(decode),
      options,
      scheduledEventId: this.addEvent({ activityTaskScheduledEventAttributes: attributes }),
      scheduledAtMs: Date.now(),
      attempt: 1,
      attemptScheduledAtMs: Date.now(),
      startedAtMs: null,
      lastHeartbeatMs: 0,
      lastFailure: null,
      isCancelRequested: false,
      isForgotten: false,
    };
    this.say(`schedules ${activity.type} #${activity.id}`);
    this.trace.push(
      activity.type === 'deliverLinkToken'
        ? `deliver to ${String(activity.args[1])}`
        : activity.type,
    );
    if (activity.type === 'createLinkToken') this.creations.push(Date.now());
    // The server refuses such a command, and the workflow task is repeated for ever (tried).
    if (toMs(options.scheduleToCloseTimeout) <= 0 || toMs(options.startToCloseTimeout) <= 0) {
      this.temporal.errors.push('an activity has a timeout that is not positive');
    }
    this.activities.set(activity.id, activity);
    // An attempt under way at schedule-to-close is cut off (tried).
    this.temporal.after(toMs(options.scheduleToCloseTimeout), () => {
      if (this.isPending(activity)) this.endActivity(activity, { timeout: 'SCHEDULE_TO_CLOSE' });
    });
    this.scheduleAttempt(activity, 0);
  }

  isPending(activity: Activity): boolean {
    return this.activities.get(activity.id) === activity;
  }

  isUnderWay(activity: Activity, attempt: number): boolean {
    const isCurrent = activity.attempt === attempt && activity.startedAtMs !== null;
    return isCurrent && this.isPending(activity);
  }

  /** A worker may take it before the workflow task that would cancel it (tried). */
  private scheduleAttempt(activity: Activity, delayMs: number): void {
    const { attempt, options } = activity;
    const { temporal } = this;
    activity.startedAtMs = null;
    activity.attemptScheduledAtMs = Date.now() + delayMs;
    const watch = (
      limit: unknown,
      timeout: 'START_TO_CLOSE' | 'HEARTBEAT',
      since: () => number,
    ) => {
      const limitMs = toMs(limit);
      if (limitMs === 0) return;
      temporal.after(since() + limitMs - Date.now(), () => {
        if (!this.isUnderWay(activity, attempt)) return;
        if (Date.now() < since() + limitMs) watch(limit, timeout, since);
        else this.fail(activity, { timeout });
      });
    };
    temporal.after(delayMs + temporal.tape.pick(POLL_DELAYS_MS), () => {
      if (!this.isPending(activity) || activity.attempt !== attempt) return;
      const startedAtMs = Date.now();
      activity.startedAtMs = startedAtMs;
      activity.lastHeartbeatMs = startedAtMs;
      watch(options.startToCloseTimeout, 'START_TO_CLOSE', () => startedAtMs);
      watch(options.heartbeatTimeout, 'HEARTBEAT', () => activity.lastHeartbeatMs);
      temporal.workers.runAttempt(activity);
    });
  }

  /** @returns whether the attempt is under way. */
  takeHeartbeat(id: string, attempt: number): boolean {
    const activity = this.activities.get(id);
    if (!activity || !this.isUnderWay(activity, attempt)) return false;
    activity.lastHeartbeatMs = Date.now();
    return true;
  }

  /** Takes the report of an attempt, unless it is over (tried). */
  takeReport(activity: Activity, attempt: number, report: Report): void {
    const isRefused =
      !this.isUnderWay(activity, attempt) ||
      // The server takes no cancellation that nobody requested (documented).
      ('cancelled' in report && !activity.isCancelRequested);
    if (isRefused) this.say(`refuses the report of #${activity.id}.${attempt}`);
    else if ('failure' in report) this.fail(activity, report);
    else this.endActivity(activity, report);
  }

  /**
   * Retries, unless the failure forbids it, the next attempt would come after schedule-to-close, or
   * a cancel was requested (tried). A lost attempt is retried unless `TemporalTimeout:…` is among
   * the types that forbid it (tried).
   */
  private fail(activity: Activity, end: { failure: Failure } | { timeout: TimeoutType }): void {
    const { options, attempt, scheduledAtMs, isCancelRequested } = activity;
    const { nonRetryableErrorTypes, maximumAttempts, ...policy } = options.retryPolicy ?? {};
    const info = 'failure' in end ? end.failure.applicationFailureInfo : null;
    const type =
      'timeout' in end
        ? `TemporalTimeout:${TIMEOUT_NAMES[end.timeout as keyof typeof TIMEOUT_NAMES]}`
        : String(info?.type);
    const growth = (policy.backoffCoefficient ?? 2) ** (attempt - 1);
    const ownDelayMs = toMs(policy.initialInterval) * growth;
    const maximumMs = toMs(policy.maximumInterval) || Infinity;
    const delayMs = info?.nextRetryDelay
      ? toMs(info.nextRetryDelay)
      : Math.min(ownDelayMs, maximumMs);
    const endMs = scheduledAtMs + toMs(options.scheduleToCloseTimeout);
    const isRetried =
      !isCancelRequested &&
      info?.nonRetryable !== true &&
      !(nonRetryableErrorTypes ?? []).includes(type) &&
      (!maximumAttempts || attempt < maximumAttempts) &&
      Date.now() + delayMs < endMs;
    if (!isRetried) {
      this.endActivity(activity, end);
      return;
    }
    this.say(`retries #${activity.id} in ${delayMs / 1000} s`);
    activity.attempt += 1;
    activity.lastFailure = 'failure' in end ? end.failure : toTimeoutFailure(end.timeout, null);
    this.scheduleAttempt(activity, delayMs);
  }

  /** The start of the last attempt enters the history with its end (documented). */
  private endActivity(activity: Activity, end: End, isByHand = false): void {
    const { scheduledEventId, startedAtMs, lastFailure } = activity;
    this.activities.delete(activity.id);
    if (startedAtMs !== null) {
      this.addEvent({ activityTaskStartedEventAttributes: { scheduledEventId } }, startedAtMs);
    }
    if ('result' in end) {
      const result = { payloads: [encode(end.result)] };
      this.addEvent({ activityTaskCompletedEventAttributes: { scheduledEventId, result } });
    } else if ('failure' in end) {
      const { failure } = end;
      this.addEvent({ activityTaskFailedEventAttributes: { scheduledEventId, failure } });
    } else if ('timeout' in end) {
      const failure = toTimeoutFailure(end.timeout, lastFailure);
      this.addEvent({ activityTaskTimedOutEventAttributes: { scheduledEventId, failure } });
    } else {
      this.addEvent({ activityTaskCanceledEventAttributes: { scheduledEventId } });
    }
    const what = 'timeout' in end ? end.timeout : Object.keys(end).join('');
    this.say(`#${activity.id} ends: ${what}`);
    if ('result' in end && Object.hasOwn(end.result as object, 'jwe')) this.trace.push('token');
    if (!activity.isForgotten) this.resolveActivity(activity, end, isByHand);
  }

  private resolveActivity(activity: Activity, end: End, isByHand = false): void {
    const result = toResolution(end, activity);
    if (activity.type === 'createLinkToken') this.unseenEnds.push({ activity, end, isByHand });
    this.addJob({ resolveActivity: { seq: activity.options.seq, result } } as Job);
  }

  /**
   * With WAIT_CANCELLATION_COMPLETED the workflow waits for the attempt, which learns of it at its
   * next heartbeat; with TRY_CANCEL it does not (tried).
   */
  private cancelActivity(seq: unknown): void {
    const activity = [...this.activities.values()].find(({ options }) => options.seq === seq);
    if (!activity) return;
    activity.isCancelRequested = true;
    if (activity.startedAtMs === null) {
      this.endActivity(activity, { cancelled: true });
      return;
    }
    if (activity.options.cancellationType) return;
    activity.isForgotten = true;
    this.resolveActivity(activity, { cancelled: true });
  }

  /** A start while a run of the id is open fails with cause 1 (documented). */
  private startChild(command: NonNullable<Command['startChildWorkflowExecution']>): void {
    const { seq, workflowId, workflowType, input } = command;
    const args = (input ?? []).map(decode);
    const child = this.temporal.start(String(workflowType), String(workflowId), args, (closed) => {
      const { status, ending } = closed;
      const wrap = (cause: object) => ({
        message: 'child',
        cause,
        childWorkflowExecutionFailureInfo: {
          workflowType: { name: workflowType },
          workflowExecution: { workflowId, runId: closed.runId },
        },
      });
      const result =
        status === 'COMPLETED'
          ? { completed: { result: encode(ending) } }
          : status === 'FAILED'
            ? { failed: { failure: wrap(ending) } }
            : status === 'CANCELLED'
              ? { cancelled: { failure: wrap({ canceledFailureInfo: {} }) } }
              : { failed: { failure: wrap({ terminatedFailureInfo: {} }) } };
      if (this.isOpen) this.addJob({ resolveChildWorkflowExecution: { seq, result } } as Job);
    });
    if (child) this.children.set(seq, child);
    const started = child
      ? { succeeded: { runId: child.runId } }
      : { failed: { workflowId, workflowType, cause: 1 } };
    this.addJob({ resolveChildWorkflowExecutionStart: { seq, ...started } } as Job);
  }

  async dispose(): Promise<void> {
    await (await this.workflow).dispose();
  }
}

/** Temporal reports the last failed attempt as the cause of a timeout (tried). */
function toTimeoutFailure(timeout: TimeoutType, cause: Failure | null): Failure {
  const timeoutFailureInfo = { timeoutType: TIMEOUT_CODES[timeout] };
  return { message: `activity ${timeout} timeout`, timeoutFailureInfo, cause };
}

/** What Core tells the workflow of an activity. */
function toResolution(
  end: End,
  { id, type, lastFailure = null }: Pick<Activity, 'id' | 'type'> & Partial<Activity>,
) {
  if ('result' in end) return { completed: { result: encode(end.result) } };
  const activityFailureInfo = { activityId: id, activityType: { name: type } };
  const wrap = (cause: object) => ({ message: 'Activity task failed', cause, activityFailureInfo });
  if ('failure' in end) return { failed: { failure: wrap(end.failure) } };
  if ('timeout' in end) {
    return { failed: { failure: wrap(toTimeoutFailure(end.timeout, lastFailure)) } };
  }
  return { cancelled: { failure: wrap({ message: 'cancelled', canceledFailureInfo: {} }) } };
}
