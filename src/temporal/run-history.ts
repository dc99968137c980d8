import type { Client, WorkflowExecutionInfo, WorkflowHandle } from '@temporalio/client';
import { defaultPayloadConverter, type Payload } from '@temporalio/common';
import { optionalTsToMs } from '@temporalio/common/lib/time';
import { z } from 'zod';
import { MAX_RECEIPT_LENGTH } from '../contract/limits';
import {
  failureDetailsSchema,
  receiptSchema,
  recoverySchema,
  sealedTokenSchema,
  type Receipt,
  type SealedToken,
} from '../contract/schemas';
import { truncate } from '../shared/text';
import { nullIfNotFound } from './grpc';

/** HISTORY_EVENT_FILTER_TYPE_CLOSE_EVENT of Temporal's API. */
const LAST = { historyEventFilterType: 2 };

type History = Awaited<ReturnType<WorkflowHandle['fetchHistory']>>;
type HistoryEvent = NonNullable<History['events']>[number];
type Payloads = { payloads?: Payload[] | null } | null | undefined;

export type RunRef = Pick<WorkflowExecutionInfo, 'workflowId' | 'runId'>;

/** Exceeds any message of ours. */
const MAX_MESSAGE_LENGTH = 4000;

/** @returns null when the run did not fail, or its history is gone. */
export async function readEnding(
  client: Client,
  run: RunRef,
): Promise<{ type: string; message: string } | null> {
  const failure = (await readEvent(client, run, LAST))?.workflowExecutionFailedEventAttributes?.failure;
  if (!failure) return null;
  const { applicationFailureInfo, message } = failure;
  return {
    type: applicationFailureInfo?.type ?? 'unknown',
    message: truncate(message ?? '', MAX_MESSAGE_LENGTH),
  };
}

/** @returns null when the result is not a receipt, or the history is gone. */
export async function readReceipt(client: Client, run: RunRef): Promise<Receipt | null> {
  const closed = (await readEvent(client, run, LAST))?.workflowExecutionCompletedEventAttributes;
  const receipt = receiptSchema.safeParse(decodePayloads(closed?.result)[0]).data;
  // Anyone in the namespace can complete a run, with a receipt that no workflow task could pass on.
  return receipt && JSON.stringify(receipt).length <= MAX_RECEIPT_LENGTH ? receipt : null;
}

/** @returns the request as its caller sent it, or an empty object; null when the history is gone. */
export async function readRequest(client: Client, run: RunRef): Promise<object | null> {
  const started = await readEvent(client, run, { maximumPageSize: 1 });
  if (!started) return null;
  return toObject(decodePayloads(started.workflowExecutionStartedEventAttributes?.input)[0]);
}

function toObject(value: unknown): object {
  return typeof value === 'object' && value !== null ? value : {};
}

async function readEvent(
  { connection, options: { namespace } }: Client,
  { workflowId, runId }: RunRef,
  which: { historyEventFilterType: number } | { maximumPageSize: number },
): Promise<HistoryEvent | undefined> {
  const execution = { workflowId, runId };
  // The list names a run for moments after its history was deleted.
  const response = await connection.workflowService
    .getWorkflowExecutionHistory({ namespace, execution, ...which })
    .catch(nullIfNotFound);
  return response?.history?.events?.[0];
}

/** Decodes payloads. A value that is not JSON, or that another data converter wrote, is undefined. */
function decodePayloads(payloads: Payloads): unknown[] {
  return (payloads?.payloads ?? []).map((payload) => {
    try {
      return defaultPayloadConverter.fromPayload(payload);
    } catch {
      return undefined;
    }
  });
}

export interface UnconfirmedAttempt {
  startedAt: string;
  endedAt: string;
  reason: string;
}

/** The token of a run of `prepareLiveMigration`, its attempts and its deliveries, as its history has them. */
interface RunHistory {
  /** The first argument, as the caller sent it. */
  request: object;
  /** The token that the run created, or was given to recover. */
  token: SealedToken | null;
  /** The start of the attempt that received the token; null for a recovered one. */
  tokenRequestedAt: string | null;
  /** The id of the token that a sink confirmed. It is from inside the seal, unlike that of a recovery's input. */
  deliveredId: string | null;
  /**
   * The attempts that may have created another token: as many as the run counts, without those that a recovered run
   * repeats, and without one whose token was found.
   */
  unconfirmedAttempts: UnconfirmedAttempt[];
  /** Sinks that may have the token. */
  sinksTried: string[];
}

const deliveredSchema = z.object({ deliveryId: z.uuid() });

/** Reads the history of one run; a history that is gone counts as empty. */
export async function readRun(client: Client, { workflowId, runId }: RunRef): Promise<RunHistory> {
  const handle = client.workflow.getHandle(workflowId, runId);
  const events = (await handle.fetchHistory().catch(nullIfNotFound))?.events ?? [];
  const input = decodePayloads(events[0]?.workflowExecutionStartedEventAttributes?.input);
  const recovery = recoverySchema.safeParse(input[1]).data;
  const { activities, unconfirmedAttempts } = collectActivities(events);
  const created = activities.find(({ type, result }) => type === 'createLinkToken' && result !== undefined);
  const deliveries = activities.filter(({ type }) => type === 'deliverLinkToken');
  const delivered = deliveries.flatMap(({ result }) => deliveredSchema.safeParse(result).data ?? []);
  const token = recovery?.sealedToken ?? sealedTokenSchema.safeParse(created?.result).data ?? null;
  const sinks = [...(recovery?.sinksTried ?? []), ...deliveries.map(({ input }) => String(input[1]))];
  return {
    request: toObject(input[0]),
    token,
    tokenRequestedAt: recovery ? null : (created?.startedAt ?? null),
    deliveredId: delivered[0]?.deliveryId ?? null,
    unconfirmedAttempts: unconfirmedAttempts.slice(0, token?.unconfirmedTokens),
    sinksTried: readSinksTried(events.at(-1)) ?? [...new Set(sinks)],
  };
}

interface Activity {
  type: string;
  input: unknown[];
  startedAt: string;
  result?: unknown;
}

function collectActivities(events: readonly HistoryEvent[]) {
  const activities = new Map<string, Activity>();
  const unconfirmedAttempts: UnconfirmedAttempt[] = [];
  let lastFailed: UnconfirmedAttempt | undefined;
  for (const event of events) {
    const {
      activityTaskScheduledEventAttributes: scheduled,
      activityTaskStartedEventAttributes: started,
      activityTaskCompletedEventAttributes: completed,
      workflowPropertiesModifiedEventAttributes: modified,
    } = event;
    const failed = event.activityTaskFailedEventAttributes ?? event.activityTaskTimedOutEventAttributes;
    const at = new Date(optionalTsToMs(event.eventTime) ?? 0).toISOString();
    if (scheduled) {
      const type = scheduled.activityType?.name ?? '';
      activities.set(String(event.eventId), { type, input: decodePayloads(scheduled.input), startedAt: at });
    }
    const activity = activities.get(String((started ?? completed ?? failed)?.scheduledEventId));
    if (activity && started) activity.startedAt = at;
    if (activity && completed) [activity.result] = decodePayloads(completed.result);
    if (activity?.type === 'createLinkToken' && failed) {
      const reason = failed.failure?.message ?? 'no result';
      lastFailed = { startedAt: activity.startedAt, endedAt: at, reason };
    }
    // The workflow counts an attempt in its memo before it does anything else, so it is the last one that failed.
    if (lastFailed && modified?.upsertedMemo?.fields?.['unconfirmedTokens'])
      unconfirmedAttempts.push(lastFailed);
  }
  return { activities: [...activities.values()], unconfirmedAttempts };
}

/** Reads the sinks that may have the token, which only the failure of a cancelled run names. */
function readSinksTried(close: HistoryEvent | undefined): string[] | undefined {
  const failure = close?.workflowExecutionFailedEventAttributes?.failure;
  const [details] = decodePayloads(failure?.applicationFailureInfo?.details);
  return failureDetailsSchema.safeParse(details).data?.sinksTried;
}
