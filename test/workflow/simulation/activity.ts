import { optionalTsToMs } from '@temporalio/common/lib/time';
import { payloadConverter } from '../../../src/shared/payload-converter';
import { GIVE_UP_AFTER_MS } from './config';
import {
  toTimeoutFailure,
  type End,
  type Failure,
  type Report,
  type TimeoutType,
} from './resolutions';
import type { SimulatedRun } from './run';
import type { Command } from './sdk';
import type { SimulatedTemporal } from './temporal';
import type { SimulatedWorker } from './workers';

/*
 * An activity, as the server treats it: its attempts one after the other, their timeouts, and its
 * end. Sources of the rules: see temporal.ts.
 */

type Options = NonNullable<Command['scheduleActivity']>;

const TIMEOUT_NAMES = { START_TO_CLOSE: 'StartToClose', HEARTBEAT: 'Heartbeat' };

export const toMs = (duration: unknown) => optionalTsToMs(duration as never) ?? 0;

/** The delay after the attempt of a number, by the retry policy. */
export function computeRetryDelayMs(policy: Options['retryPolicy'], number: number): number {
  const growth = (policy?.backoffCoefficient ?? 2) ** (number - 1);
  const maximumMs = toMs(policy?.maximumInterval) || Infinity;
  return Math.min((toMs(policy?.initialInterval) || 1000) * growth, maximumMs);
}

/** Until a worker takes a task: at once, or when one is back. */
export const POLL_DELAYS_MS = [10, 60, 60, 10_000];

export class SimulatedActivity {
  readonly type: string;
  readonly id: string;
  readonly args: unknown[];
  readonly scheduledAtMs = Date.now();
  readonly scheduleToCloseMs: number;
  readonly startToCloseMs: number;
  readonly heartbeatTimeoutMs: number;
  /** Counts also across resets, which start the number for the worker again. */
  attempt = 1;
  private attemptsBeforeReset = 0;
  /** Whether the attempt under way was reset, and whether the server refuses what it says. */
  isReset = false;
  private isRefused = false;
  /** When the attempt is due. */
  attemptScheduledAtMs = this.scheduledAtMs;
  /** Null while no attempt is under way. */
  startedAtMs: number | null = null;
  lastFailure: Failure | null = null;
  isCancelRequested = false;
  isPending = true;
  /** Set when its worker goes on with an attempt for ever, heartbeats included. */
  isHung = false;
  /** The activation that scheduled it. */
  readonly scheduledIn: number;
  /** When a worker began each attempt; a frozen one begins late. */
  readonly begunMs = new Map<number, number>();
  /** When Temporal took each attempt for over. */
  readonly overMs = new Map<number, number>();
  private lastHeartbeatMs = 0;
  private worker: SimulatedWorker | null = null;
  /** Set once the workflow has an end of it, although it goes on. */
  private isForgotten = false;
  private readonly scheduledEventId: number;

  constructor(
    private readonly temporal: SimulatedTemporal,
    readonly run: SimulatedRun,
    readonly options: Options,
  ) {
    const { activityId, activityType: name, arguments: payloads } = options;
    this.type = String(name);
    this.id = String(activityId);
    this.args = (payloads ?? []).map((payload) => payloadConverter.fromPayload(payload as never));
    this.scheduledIn = run.activations;
    this.scheduleToCloseMs = toMs(options.scheduleToCloseTimeout);
    this.startToCloseMs = toMs(options.startToCloseTimeout);
    this.heartbeatTimeoutMs = toMs(options.heartbeatTimeout);
    // 0 would mean no timeout. The server refuses less, and the workflow task is repeated for ever.
    const hasNoLimit = !options.scheduleToCloseTimeout;
    if ((this.scheduleToCloseMs <= 0 && !hasNoLimit) || this.startToCloseMs <= 0) {
      temporal.errors.push('an activity has a timeout that is not positive');
    }
    const attributes = { activityType: { name }, input: { payloads } };
    this.scheduledEventId = run.addEvent({ activityTaskScheduledEventAttributes: attributes });
  }

  /** Makes the first attempt due. */
  schedule(): void {
    if (this.scheduleToCloseMs > 0) this.endAfterLimit();
    this.scheduleAttempt(0);
  }

  /** An attempt under way at schedule-to-close is cut off. */
  private endAfterLimit(): void {
    this.temporal.after(this.scheduleToCloseMs, () => {
      if (!this.isPending) return;
      const { startedAtMs, type, run } = this;
      const deadlineMs = (run.creations[0] ?? 0) + GIVE_UP_AFTER_MS;
      const isInTime = startedAtMs !== null && startedAtMs < deadlineMs;
      if (isInTime && type === 'createLinkToken') this.judgeTimeout(startedAtMs);
      this.end({ timeout: 'SCHEDULE_TO_CLOSE' });
    });
  }

  /** The number of the attempt, as its worker sees it. */
  get number(): number {
    return this.attempt - this.attemptsBeforeReset;
  }

  /**
   * `temporal activity reset`. An attempt that waits is due at once. Under way, a first attempt
   * learns of it with its next heartbeat, and what a later one says is refused.
   */
  reset(): void {
    if (!this.isPending || (this.startedAtMs === null && this.attempt === 1)) return;
    this.run.say(`resets #${this.id}`);
    if (this.startedAtMs !== null) {
      this.isReset = true;
      this.isRefused ||= this.number > 1;
      this.attemptsBeforeReset = this.attempt - 1;
      return;
    }
    this.attemptsBeforeReset = this.attempt;
    this.attempt += 1;
    this.scheduleAttempt(0);
  }

  isUnderWay(attempt: number): boolean {
    return this.isPending && this.attempt === attempt && this.startedAtMs !== null;
  }

  /** Tells whether the server takes what an attempt says. */
  isHeard(attempt: number): boolean {
    return this.isUnderWay(attempt) && !this.isRefused;
  }

  /** A worker may take it before the workflow task that would cancel it. */
  private scheduleAttempt(delayMs: number): void {
    const { temporal } = this;
    this.startedAtMs = null;
    this.isReset = false;
    this.isRefused = false;
    this.attemptScheduledAtMs = Date.now() + delayMs;
    this.awaitPoller(delayMs + temporal.tape.pick(POLL_DELAYS_MS));
  }

  private awaitPoller(delayMs: number): void {
    const { attempt, temporal } = this;
    temporal.after(delayMs, () => {
      if (!this.isPending || this.attempt !== attempt) return;
      // Without a poller it waits.
      this.worker = temporal.workers.runAttempt(this);
      if (!this.worker) {
        this.awaitPoller(1000);
        return;
      }
      this.run.say(`${this.worker.name} takes #${this.id}.${attempt}`);
      const startedAtMs = Date.now();
      this.startedAtMs = startedAtMs;
      this.lastHeartbeatMs = startedAtMs;
      this.watch('START_TO_CLOSE', this.startToCloseMs, () => startedAtMs);
      this.watch('HEARTBEAT', this.heartbeatTimeoutMs, () => this.lastHeartbeatMs);
    });
  }

  private watch(timeout: 'START_TO_CLOSE' | 'HEARTBEAT', limitMs: number, since: () => number) {
    const { attempt } = this;
    if (limitMs === 0) return;
    this.temporal.after(since() + limitMs - Date.now(), () => {
      if (!this.isUnderWay(attempt)) return;
      if (Date.now() < since() + limitMs) {
        this.watch(timeout, limitMs, since);
        return;
      }
      this.judgeTimeout(this.startedAtMs as number);
      this.fail({ timeout });
    });
  }

  /** A worker that neither froze nor died, and reached Temporal, has ended its attempt by now. */
  private judgeTimeout(startedAtMs: number): void {
    const { temporal, worker } = this;
    const frozenUntilMs = worker?.isKilled ? Infinity : (worker?.frozenUntilMs ?? 0);
    if (
      this.isHung ||
      this.isRefused ||
      Math.max(temporal.awayUntilMs, frozenUntilMs) >= startedAtMs
    ) {
      return;
    }
    temporal.errors.push(`a worker that works ends its attempts in time: ${this.type}`);
  }

  /** @returns whether the attempt is under way. */
  takeHeartbeat(attempt: number): boolean {
    if (!this.isHeard(attempt)) return false;
    this.lastHeartbeatMs = Date.now();
    return true;
  }

  /** Takes the report of an attempt, unless it is over. */
  takeReport(attempt: number, report: Report): void {
    // The server takes no cancellation that nobody requested.
    const isUnrequested = 'cancelled' in report && !this.isCancelRequested;
    if (!this.isHeard(attempt) || isUnrequested) {
      this.run.say(`refuses the report of #${this.id}.${attempt}`);
    } else if ('failure' in report) this.fail(report);
    else this.end(report);
  }

  /**
   * Retries, unless the failure forbids it, the next attempt would come after schedule-to-close, or
   * a cancel was requested. A lost attempt is retried unless `TemporalTimeout:…` is among the types
   * that forbid it.
   */
  private fail(end: { failure: Failure } | { timeout: TimeoutType }): void {
    const { nonRetryableErrorTypes, maximumAttempts } = this.options.retryPolicy ?? {};
    const info = 'failure' in end ? end.failure.applicationFailureInfo : null;
    const type =
      'timeout' in end
        ? `TemporalTimeout:${TIMEOUT_NAMES[end.timeout as keyof typeof TIMEOUT_NAMES]}`
        : String(info?.type);
    const delayMs = info?.nextRetryDelay
      ? toMs(info.nextRetryDelay)
      : computeRetryDelayMs(this.options.retryPolicy, this.number);
    const isRetried =
      !this.isCancelRequested &&
      info?.nonRetryable !== true &&
      !(nonRetryableErrorTypes ?? []).includes(type) &&
      (!maximumAttempts || this.number < maximumAttempts) &&
      Date.now() + delayMs < this.scheduledAtMs + (this.scheduleToCloseMs || Infinity);
    if (!isRetried) {
      this.end(end);
      return;
    }
    const reason = 'failure' in end ? end.failure.message : end.timeout;
    this.run.say(`retries #${this.id} in ${delayMs / 1000} s: ${reason}`);
    this.run.retries.push({ type: this.type, dueMs: this.attemptScheduledAtMs, delayMs });
    this.overMs.set(this.attempt, Date.now());
    this.attempt += 1;
    this.lastFailure = 'failure' in end ? end.failure : toTimeoutFailure(end.timeout, null);
    this.scheduleAttempt(delayMs);
  }

  /** Its run has ended. */
  abandon(): void {
    this.isPending = false;
    this.overMs.set(this.attempt, Date.now());
  }

  /** The start of the last attempt enters the history with its end. */
  end(end: End): void {
    const { scheduledEventId, startedAtMs } = this;
    this.isPending = false;
    this.overMs.set(this.attempt, Date.now());
    if (startedAtMs !== null) {
      const attributes = { activityTaskStartedEventAttributes: { scheduledEventId } };
      this.run.addEvent(attributes, startedAtMs);
    }
    this.run.addEvent(this.toEvent(end));
    this.run.noteEnd(this, end);
    if (!this.isForgotten) this.run.resolveActivity(this, end);
  }

  private toEvent(end: End): object {
    const { scheduledEventId } = this;
    if ('result' in end) {
      const result = { payloads: [payloadConverter.toPayload(end.result)] };
      return { activityTaskCompletedEventAttributes: { scheduledEventId, result } };
    }
    if ('failure' in end) {
      const { failure } = end;
      return { activityTaskFailedEventAttributes: { scheduledEventId, failure } };
    }
    if ('timeout' in end) {
      const failure = toTimeoutFailure(end.timeout, this.lastFailure);
      return { activityTaskTimedOutEventAttributes: { scheduledEventId, failure } };
    }
    return { activityTaskCanceledEventAttributes: { scheduledEventId } };
  }

  /**
   * With WAIT_CANCELLATION_COMPLETED the workflow waits for the attempt, which learns of it at its
   * next heartbeat; with TRY_CANCEL it does not.
   */
  cancel(): void {
    this.isCancelRequested = true;
    if (this.startedAtMs === null) this.end({ cancelled: true });
    else if (!this.options.cancellationType) {
      this.isForgotten = true;
      this.run.resolveActivity(this, { cancelled: true });
    }
  }
}
