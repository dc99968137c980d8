import { randomUUID } from 'node:crypto';
import { msNumberToTs } from '@temporalio/common/lib/time';
import { payloadConverter } from '../../../src/shared/payload-converter';
import type { HistoryEvent } from '../../../src/temporal/run-history';
import { POLL_DELAYS_MS, SimulatedActivity, toMs } from './activity';
import { instantly } from './clock';
import { decode, toChildResolution, toResolution, type End, type SeenEnd } from './resolutions';
import type { Command, Job, RunningWorkflow } from './sdk';
import type { SimulatedTemporal } from './temporal';
import { SimulatedUpdates, type SimulatedUpdate } from './updates';

/*
 * A run, as the server treats it: its workflow tasks, with what they command, what people request
 * of it, and its history. Sources of the rules: see temporal.ts.
 */

/** The list is eventually consistent (https://docs.temporal.io/visibility). */
const LIST_LAGS_MS = [0, 700, 3000];

export class SimulatedRun {
  readonly runId = randomUUID();
  readonly startMs = Date.now();
  /** The closed runs that the list had when this one started. */
  readonly listedBefore: readonly SimulatedRun[];
  readonly events: HistoryEvent[] = [];
  readonly memo: Record<string, unknown> = {};
  /** Those that are pending. */
  readonly activities = new Map<string, SimulatedActivity>();
  readonly scheduled = new Map<string, SimulatedActivity>();
  readonly updates = new SimulatedUpdates();
  /** The answers to each Query, as of the last workflow task. */
  answers: readonly Command[] = [];
  /** What the run did, in the order of its history. */
  readonly trace: string[] = [];
  /** When each creation was scheduled. */
  readonly creations: number[] = [];
  /** What Temporal retried: when the attempt was due, and the delay until the next one. */
  readonly retries: { type: string; dueMs: number; delayMs: number }[] = [];
  readonly timers: { startedMs: number; endMs: number }[] = [];
  status: 'RUNNING' | 'COMPLETED' | 'FAILED' | 'CANCELLED' | 'TERMINATED' = 'RUNNING';
  closeMs: number | undefined;
  isListedAsClosed = false;
  isCancelRequested = false;
  /** Whether the first workflow task brought a cancel; null before it. */
  isCancelledAtStart: boolean | null = null;
  /** The result, or the failure. */
  ending: object = {};
  /** The activities whose end an activation has brought to the workflow. */
  readonly seenEnds: SeenEnd[] = [];
  /** Counts them. */
  activations = 0;

  private readonly workflow: Promise<RunningWorkflow>;
  private readonly openTimers = new Set<unknown>();
  readonly children = new Map<SimulatedRun, number>();
  private readonly unseenEnds: Omit<SeenEnd, 'seenIn'>[] = [];
  private jobs: Job[] = [];
  isTaskScheduled = false;
  /** The workflow task under way. */
  private task: Promise<void> | null = null;

  constructor(
    private readonly temporal: SimulatedTemporal,
    readonly type: string,
    readonly workflowId: string,
    readonly args: unknown[],
    /** The scheduled run that started it. */
    readonly parent?: SimulatedRun,
  ) {
    const payloads = args.map((arg) => payloadConverter.toPayload(arg)) as never[];
    this.listedBefore = temporal.runs.filter(({ isListedAsClosed }) => isListedAsClosed);
    this.say(`starts ${type}`);
    this.addEvent({ workflowExecutionStartedEventAttributes: { input: { payloads } } });
    const lastResult = temporal.lastResultOf(workflowId);
    const start = { workflowId, runId: this.runId, type, args: payloads, lastResult };
    this.workflow = temporal.startWorkflow(start);
    this.scheduleTask();
  }

  get isOpen(): boolean {
    return this.status === 'RUNNING';
  }

  say(what: string): void {
    this.temporal.say(`${this.runId.slice(0, 4)} ${what}`);
  }

  /**
   * A second request adds nothing. One that comes during a workflow task enters the history after
   * what the task brings.
   */
  requestCancel(): void {
    if (this.task) return void this.task.then(() => this.requestCancel());
    if (!this.isOpen || this.isCancelRequested) return;
    this.say('cancel');
    this.isCancelRequested = true;
    this.trace.push('cancel');
    this.addEvent({ workflowExecutionCancelRequestedEventAttributes: {} });
    this.addJob({ cancelWorkflow: { reason: '' } });
  }

  terminate(): void {
    if (!this.isOpen) return;
    this.addEvent({ workflowExecutionTerminatedEventAttributes: {} });
    this.close('TERMINATED');
  }

  /** What the validator refuses leaves no trace (test/workflow/updates.test.ts). */
  update(name: string, args: unknown[], onEnd: (update: SimulatedUpdate) => void): void {
    this.say(`${name} ${JSON.stringify(args)}`);
    this.addJob(this.updates.create(name, args, onEnd));
  }

  addEvent(attributes: object, atMs = Date.now()): number {
    const eventId = this.events.length + 1;
    const event = { eventId, eventTime: msNumberToTs(atMs), ...attributes };
    this.events.push(event as unknown as HistoryEvent);
    return eventId;
  }

  private addJob(job: Job): void {
    this.jobs.push(job);
    this.scheduleTask();
  }

  /** All that comes before a worker takes the task is one activation. */
  private scheduleTask(): void {
    if (this.isTaskScheduled) return;
    this.isTaskScheduled = true;
    this.awaitPoller(this.temporal.tape.pick(POLL_DELAYS_MS));
  }

  private awaitPoller(delayMs: number): void {
    const { temporal } = this;
    temporal.after(delayMs, async () => {
      await this.task;
      if (!temporal.workers.isPolled()) {
        this.awaitPoller(1000);
        return;
      }
      this.task = this.runTask()
        .catch((error: unknown) => void temporal.errors.push(error))
        .finally(() => (this.task = null));
    });
  }

  /**
   * Local activities run within the workflow task, and write no events of activities
   * (test/system/runs/endings.test.ts: a clean run).
   */
  private async runTask(): Promise<void> {
    this.isTaskScheduled = false;
    this.isCancelledAtStart ??= this.isCancelRequested;
    const workflow = await instantly(() => this.workflow);
    const seenIn = this.activations + 1;
    this.seenEnds.push(...this.unseenEnds.splice(0).map((end) => ({ ...end, seenIn })));
    const jobs = this.jobs.splice(0);
    if (!this.isOpen) return;
    this.activations += 1;
    const commands = await instantly(() => workflow.activate(jobs, this.events.length));
    for (const command of commands) this.carryOut(command);
    this.answers = await instantly(() => workflow.look());
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
    if (command.requestCancelActivity) {
      const { seq } = command.requestCancelActivity;
      [...this.activities.values()].find(({ options }) => options.seq === seq)?.cancel();
    }
    if (command.startChildWorkflowExecution) this.startChild(command.startChildWorkflowExecution);
    if (command.cancelChildWorkflowExecution) {
      for (const child of this.children.keys()) child.requestCancel();
    }
    if (command.modifyWorkflowProperties) {
      const { fields } = command.modifyWorkflowProperties.upsertedMemo ?? {};
      for (const [name, value] of Object.entries(fields ?? {})) this.memo[name] = decode(value);
    }
    if (command.updateResponse) {
      const accepted = this.updates.takeResponse(command.updateResponse, this.activations);
      if (accepted?.sink) this.trace.push(`redeliver to ${accepted.sink}`);
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
    if (command.cancelWorkflowExecution) {
      this.addEvent({ workflowExecutionCanceledEventAttributes: {} });
      this.close('CANCELLED');
    }
  }

  private close(status: SimulatedRun['status'], ending: object | null | undefined = null): void {
    this.status = status;
    this.closeMs = Date.now();
    this.ending = ending ?? {};
    this.say(`${status}${'message' in this.ending ? `: ${String(this.ending.message)}` : ''}`);
    // From now on its attempts learn that they are over, and their reports are refused.
    for (const activity of this.activities.values()) activity.abandon();
    // Temporal goes on describing the attempts of a terminated run.
    if (status !== 'TERMINATED') this.activities.clear();
    this.openTimers.clear();
    this.updates.end();
    const isListed = () => (this.isListedAsClosed = true);
    this.temporal.after(this.temporal.tape.pick(LIST_LAGS_MS), isListed);
    this.parent?.resolveChild(this);
  }

  private scheduleActivity(options: NonNullable<Command['scheduleActivity']>): void {
    const activity = new SimulatedActivity(this.temporal, this, options);
    const { type, id, args } = activity;
    this.say(`schedules ${type} #${id}`);
    this.trace.push(type === 'deliverLinkToken' ? `deliver to ${String(args[1])}` : type);
    if (type === 'createLinkToken') this.creations.push(Date.now());
    this.activities.set(id, activity);
    this.scheduled.set(id, activity);
    activity.schedule();
  }

  noteEnd({ id }: SimulatedActivity, end: End): void {
    this.activities.delete(id);
    const how = 'timeout' in end ? end.timeout : Object.keys(end).join('');
    this.say(`#${id} ends: ${'failure' in end ? String(end.failure.message) : how}`);
    const result = 'result' in end ? (end.result as object) : {};
    if ('jwe' in result) this.trace.push('token');
    if ('deliveredAt' in result) this.trace.push('stored');
    if ('keyId' in result) this.trace.push('revoked');
  }

  resolveActivity(activity: SimulatedActivity, end: End): void {
    const result = toResolution(end, activity);
    this.unseenEnds.push({ activity, end });
    this.addJob({ resolveActivity: { seq: activity.options.seq, result } } as Job);
  }

  /** A start while a run of the id is open fails with cause 1. */
  private startChild(command: NonNullable<Command['startChildWorkflowExecution']>): void {
    const { seq, workflowId, workflowType, input } = command;
    const args = (input ?? []).map(decode);
    const child = this.temporal.start(String(workflowType), String(workflowId), args, this);
    if (child) this.children.set(child, Number(seq));
    const started = child
      ? { succeeded: { runId: child.runId } }
      : { failed: { workflowId, workflowType, cause: 1 } };
    this.addJob({ resolveChildWorkflowExecutionStart: { seq, ...started } } as Job);
  }

  private resolveChild(child: SimulatedRun): void {
    const resolution = { seq: this.children.get(child), result: toChildResolution(child) };
    if (this.isOpen) this.addJob({ resolveChildWorkflowExecution: resolution } as Job);
  }

  async dispose(): Promise<void> {
    await (await this.workflow).dispose();
  }
}
