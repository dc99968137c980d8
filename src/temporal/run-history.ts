import type { Client } from '@temporalio/client';
import { z } from 'zod';
import { isSinkName } from '../contract/formats';
import { MAX_MESSAGE_LENGTH, MAX_SINKS_TRIED } from '../contract/limits';
import {
  receiptSchema,
  sealedTokenSchema,
  type Receipt,
  type SealedToken,
} from '../contract/schemas';
import { readFacts } from '../shared/attempt-failure';
import { fitsAsJson, toObject } from '../shared/object';
import { decodePayloads, type Payloads } from '../shared/payload-converter';
import { cutAndEscape } from '../shared/text';
import { toMs } from './grpc';

type HistoryPage = Awaited<ReturnType<Client['workflowService']['getWorkflowExecutionHistory']>>;
export type HistoryEvent = NonNullable<NonNullable<HistoryPage['history']>['events']>[number];
type Attributes<Name extends keyof HistoryEvent> = NonNullable<HistoryEvent[Name]>;

/** An attempt that may have created a token and returned none. */
export interface UnconfirmedAttempt {
  startedAt: string;
  endedAt: string;
  reason: string;
}

/**
 * A run of `prepareLiveMigration` as its history has it: its request, its token, its attempts and
 * deliveries, and its end.
 */
export interface RunHistory {
  /** The first argument, as the caller sent it. */
  request: object;
  /** The result, if it is a receipt. */
  receipt: Receipt | null;
  failure: { type: string; message: string } | null;
  /** The token that the run created; null also if this release cannot read it. */
  token: SealedToken | null;
  /** When the run got its token, also one that this release cannot read; null before. */
  tokenAt: string | null;
  /** When a creation that has no end in the history was scheduled; null if there is none. */
  creatingSince: string | null;
  /** The sinks for which a delivery was scheduled. */
  sinksTried: string[];
  /** The id of the token that was delivered, from inside the seal. */
  deliveredId: string | null;
  /**
   * Attempts of this run that may have created another token, by the rules by which the run counts
   * them: also one that ended after its last workflow task.
   */
  unconfirmedAttempts: UnconfirmedAttempt[];
}

/**
 * An activity. Until the history has the event of its start, it counts as started when it was
 * scheduled.
 */
interface ActivityRecord {
  type: string;
  startedAt: string;
}

const deliveredSchema = z.object({ deliveryId: z.uuid() });

/**
 * Collects what is used of the events of a run, in their order, and keeps none of them: each may
 * have 2 MB.
 */
export class RunHistoryBuilder {
  private input: unknown[] = [];
  private readonly activities = new Map<string, ActivityRecord>();
  private readonly unconfirmedAttempts: UnconfirmedAttempt[] = [];
  private isCancelRequested = false;
  private token: SealedToken | null = null;
  private tokenAt: string | null = null;
  private creatingSince: string | null = null;
  private readonly sinksTried = new Set<string>();
  private deliveredId: string | undefined;
  private receipt: Receipt | null = null;
  private failure: RunHistory['failure'] = null;

  add(event: HistoryEvent): void {
    const at = new Date(toMs(event.eventTime)).toISOString();
    const {
      workflowExecutionStartedEventAttributes: runStarted,
      activityTaskScheduledEventAttributes: activityScheduled,
      activityTaskStartedEventAttributes: activityStarted,
      activityTaskCompletedEventAttributes: activityCompleted,
      activityTaskCanceledEventAttributes: activityCancelled,
      workflowExecutionCancelRequestedEventAttributes: cancelRequested,
      workflowExecutionCompletedEventAttributes: runCompleted,
      workflowExecutionFailedEventAttributes: runFailed,
    } = event;
    const activityFailed =
      event.activityTaskFailedEventAttributes ?? event.activityTaskTimedOutEventAttributes;
    if (runStarted) this.input = decodePayloads(runStarted.input);
    if (activityScheduled) this.addScheduled(String(event.eventId), activityScheduled, at);
    if (activityStarted) this.addStarted(activityStarted, at);
    if (activityCompleted) this.addCompleted(activityCompleted, at);
    if (activityFailed) this.addFailed(activityFailed, at);
    if (activityCancelled) this.addCancelled(activityCancelled, at);
    if (cancelRequested) this.isCancelRequested = true;
    if (runCompleted) this.addResult(runCompleted.result);
    if (runFailed) this.addRunFailure(runFailed);
  }

  toHistory(): RunHistory {
    return {
      request: toObject(this.input[0]),
      receipt: this.receipt,
      failure: this.failure,
      token: this.token,
      tokenAt: this.tokenAt,
      creatingSince: this.creatingSince,
      sinksTried: [...this.sinksTried],
      deliveredId: this.deliveredId ?? null,
      unconfirmedAttempts: this.unconfirmedAttempts,
    };
  }

  private find({ scheduledEventId }: { scheduledEventId?: unknown }): ActivityRecord | undefined {
    return this.activities.get(String(scheduledEventId));
  }

  private addScheduled(
    eventId: string,
    { activityType, input }: Attributes<'activityTaskScheduledEventAttributes'>,
    at: string,
  ): void {
    const type = activityType?.name ?? '';
    if (type === 'createLinkToken') this.creatingSince = at;
    if (type === 'deliverLinkToken') this.addSink(input);
    this.activities.set(eventId, { type, startedAt: at });
  }

  /** Decodes only the sink's name: the token before it may have 55 KB, in each round. */
  private addSink(input: Payloads): void {
    const [sink] = decodePayloads({ payloads: input?.payloads?.slice(1) ?? null });
    if (isSinkName(sink) && this.sinksTried.size < MAX_SINKS_TRIED) this.sinksTried.add(sink);
  }

  private addStarted(
    attributes: Attributes<'activityTaskStartedEventAttributes'>,
    at: string,
  ): void {
    const activity = this.find(attributes);
    if (activity) activity.startedAt = at;
  }

  private addCompleted(
    attributes: Attributes<'activityTaskCompletedEventAttributes'>,
    at: string,
  ): void {
    const activity = this.find(attributes);
    const [result] = decodePayloads(attributes.result);
    if (activity?.type === 'createLinkToken') {
      // The run refuses such a result.
      const isRefused = typeof toObject(result)['jwe'] !== 'string';
      this.addCreation(activity, at, isRefused && 'completed without a token of this run');
      if (!isRefused) this.tokenAt = at;
      this.token = sealedTokenSchema.safeParse(result).data ?? this.token;
    }
    // The token that the run received last is no more, unless the run refused the result.
    if (activity?.type === 'revokeLinkToken' && 'outcome' in toObject(result)) {
      if (this.tokenAt === null) this.unconfirmedAttempts.pop();
      this.token = null;
      this.tokenAt = null;
    }
    if (activity?.type === 'deliverLinkToken') {
      this.deliveredId ??= deliveredSchema.safeParse(result).data?.deliveryId;
    }
  }

  private addFailed(
    attributes:
      | Attributes<'activityTaskFailedEventAttributes'>
      | Attributes<'activityTaskTimedOutEventAttributes'>,
    at: string,
  ): void {
    const activity = this.find(attributes);
    if (activity?.type !== 'createLinkToken') return;
    const details = decodePayloads(attributes.failure?.applicationFailureInfo?.details);
    const reason = attributes.failure?.message ?? 'no result';
    this.addCreation(activity, at, readFacts(details).tokenMayExist && reason);
  }

  private addCancelled(
    attributes: Attributes<'activityTaskCanceledEventAttributes'>,
    at: string,
  ): void {
    const activity = this.find(attributes);
    // In a cancelled run, it ended before its request was sent.
    const reason = !this.isCancelRequested && 'no result';
    if (activity?.type === 'createLinkToken') this.addCreation(activity, at, reason);
  }

  /** @param reason why a token may exist that the run did not receive; false if none can. */
  private addCreation(
    { startedAt }: ActivityRecord,
    endedAt: string,
    reason: string | false,
  ): void {
    this.creatingSince = null;
    if (reason === false) return;
    const attempt = { startedAt, endedAt, reason: cutAndEscape(reason, MAX_MESSAGE_LENGTH) };
    this.unconfirmedAttempts.push(attempt);
  }

  /** Anyone can complete a run, with a receipt that no workflow task could pass on. */
  private addResult(result: Payloads): void {
    const receipt = receiptSchema.safeParse(decodePayloads(result)[0]).data;
    if (receipt && fitsAsJson(receipt)) this.receipt = receipt;
  }

  private addRunFailure({ failure }: Attributes<'workflowExecutionFailedEventAttributes'>): void {
    const type = failure?.applicationFailureInfo?.type;
    const message = cutAndEscape(failure?.message ?? '', MAX_MESSAGE_LENGTH);
    this.failure = { type: type ?? 'unknown', message };
  }
}
