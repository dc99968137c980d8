import type { Client, WorkflowExecutionInfo } from '@temporalio/client';
import type { Payload } from '@temporalio/common';
import { z } from 'zod';
import { MAX_MESSAGE_LENGTH, MAX_SINKS_TRIED, MAX_TEXT_LENGTH } from '../contract/limits';
import {
  failureDetailsSchema,
  receiptSchema,
  recoverySchema,
  sealedTokenSchema,
  type Receipt,
  type SealedToken,
} from '../contract/schemas';
import type { AttemptDetails } from '../shared/activities';
import { fitsAsJson, toObject } from '../shared/object';
import { UNREADABLE, payloadConverter } from '../shared/payload-converter';
import { truncate } from '../shared/text';
import { nullIfNotFound, toMs, withReadTimeout } from './grpc';

/** HISTORY_EVENT_FILTER_TYPE_CLOSE_EVENT of Temporal's API. */
const CLOSE_EVENT_ONLY = { historyEventFilterType: 2 };

type HistoryPage = Awaited<ReturnType<Client['workflowService']['getWorkflowExecutionHistory']>>;
type HistoryEvent = NonNullable<NonNullable<HistoryPage['history']>['events']>[number];
type Payloads = { payloads?: Payload[] | null } | null | undefined;

export type RunRef = Pick<WorkflowExecutionInfo, 'workflowId' | 'runId'> & {
  /** Bytes, as lists and descriptions have them. */
  historySize?: number | undefined;
};

/** @returns null when the run did not fail, or its history is gone. */
export async function readFailure(client: Client, run: RunRef) {
  const failure = (await readFirstEvent(client, run, CLOSE_EVENT_ONLY))?.workflowExecutionFailedEventAttributes
    ?.failure;
  if (!failure) return null;
  const { applicationFailureInfo, message } = failure;
  return {
    type: applicationFailureInfo?.type ?? 'unknown',
    message: truncate(message ?? '', MAX_MESSAGE_LENGTH),
  };
}

/** @returns null when the result is not a receipt, or the history is gone. */
export async function readReceipt(client: Client, run: RunRef): Promise<Receipt | null> {
  const closed = (await readFirstEvent(client, run, CLOSE_EVENT_ONLY))?.workflowExecutionCompletedEventAttributes;
  const receipt = receiptSchema.safeParse(decodePayloads(closed?.result)[0]).data;
  // Anyone in the namespace can complete a run, with a receipt that no workflow task could pass on.
  return receipt && fitsAsJson(receipt) ? receipt : null;
}

/** @returns the request as its caller sent it, or an empty object; null when the history is gone. */
export async function readRequest(client: Client, run: RunRef): Promise<object | null> {
  const started = await readFirstEvent(client, run, { maximumPageSize: 1 });
  if (!started) return null;
  return toObject(decodePayloads(started.workflowExecutionStartedEventAttributes?.input)[0]);
}

type PageOptions = { historyEventFilterType: number } | { maximumPageSize?: number; nextPageToken?: Uint8Array };

async function readFirstEvent(client: Client, run: RunRef, options: PageOptions) {
  return (await readHistoryPage(client, run, options))?.history?.events?.[0];
}

/** @returns null when the history is gone: the list names a run for moments after its history was deleted. */
function readHistoryPage(client: Client, { workflowId, runId }: RunRef, options: PageOptions) {
  const { namespace } = client.options;
  const execution = { workflowId, runId };
  const read = () => client.workflowService.getWorkflowExecutionHistory({ namespace, execution, ...options });
  return withReadTimeout(client, read).catch(nullIfNotFound);
}

/** Decodes payloads; one that cannot be read is `UNREADABLE`. */
function decodePayloads(payloads: Payloads): unknown[] {
  return (payloads?.payloads ?? []).map((payload) => payloadConverter.fromPayload(payload));
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
  /** The id of the token that was delivered. It is from inside the seal, unlike that of a recovery's input. */
  deliveredId: string | null;
  /** The attempts that may have created another token, without those that a recovered run repeats. */
  unconfirmedAttempts: UnconfirmedAttempt[];
  /** Sinks that may have the token, 100 at most. */
  sinksTried: string[];
}

const deliveredSchema = z.object({ deliveryId: z.uuid() });

/** A history has up to 50 MB, and a start reads that of each terminated run of its pair. */
const MAX_READERS = 2;
let readers = 0;
const waiting: (() => void)[] = [];

/** Reads the history of one run, once fewer than two are being read; a history that is gone counts as empty. */
export async function readRun(client: Client, run: RunRef): Promise<RunHistory> {
  if (readers === MAX_READERS) await new Promise<void>((resolve) => waiting.push(resolve));
  else readers += 1;
  try {
    return await collectEvents(listEvents(client, run));
  } finally {
    const next = waiting.shift();
    if (next) next();
    else readers -= 1;
  }
}

/** Exceeds the histories of the job's runs. */
const LARGE_HISTORY_BYTES = 8 * 1024 * 1024;
/** An event has up to 2 MB. */
const EVENTS_OF_LARGE_PAGE = 4;

async function* listEvents(client: Client, run: RunRef): AsyncGenerator<HistoryEvent> {
  const isLarge = (run.historySize ?? 0) > LARGE_HISTORY_BYTES;
  let nextPageToken: Uint8Array | undefined;
  do {
    const page = await readHistoryPage(client, run, {
      ...(isLarge && { maximumPageSize: EVENTS_OF_LARGE_PAGE }),
      ...(nextPageToken && { nextPageToken }),
    });
    yield* page?.history?.events ?? [];
    nextPageToken = page?.nextPageToken;
  } while (nextPageToken?.length);
}

/** Collects what is used of each event and drops the rest: any of them may have 2 MB. */
async function collectEvents(events: AsyncIterable<HistoryEvent>): Promise<RunHistory> {
  let input: unknown[] = [];
  const activities = new Map<string, { type: string; startedAt: string; sink?: string | undefined }>();
  const unconfirmedAttempts: UnconfirmedAttempt[] = [];
  let created: SealedToken | undefined;
  let tokenRequestedAt: string | null = null;
  let deliveredId: string | undefined;
  let lastEnded: UnconfirmedAttempt | undefined;
  let failedWith: Payloads;
  for await (const event of events) {
    const {
      activityTaskScheduledEventAttributes: scheduled,
      activityTaskStartedEventAttributes: started,
      activityTaskCompletedEventAttributes: completed,
      workflowPropertiesModifiedEventAttributes: modified,
    } = event;
    const failed = event.activityTaskFailedEventAttributes ?? event.activityTaskTimedOutEventAttributes;
    const ended = completed ?? failed ?? event.activityTaskCanceledEventAttributes;
    const at = new Date(toMs(event.eventTime)).toISOString();
    const begun = event.workflowExecutionStartedEventAttributes;
    if (begun) input = decodePayloads(begun.input);
    if (scheduled) {
      const type = scheduled.activityType?.name ?? '';
      const name = type === 'deliverLinkToken' ? decodePayloads(scheduled.input)[1] : undefined;
      const sink = typeof name === 'string' && name !== UNREADABLE ? truncate(name, MAX_TEXT_LENGTH) : undefined;
      activities.set(String(event.eventId), { type, startedAt: at, sink });
    }
    const activity = activities.get(String((started ?? ended)?.scheduledEventId));
    if (activity && started) activity.startedAt = at;
    const [result] = decodePayloads(completed?.result);
    if (activity?.type === 'createLinkToken' && ended) {
      created = sealedTokenSchema.safeParse(result).data;
      tokenRequestedAt = activity.startedAt;
      const reason = completed ? 'completed without a token of this run' : (failed?.failure?.message ?? 'no result');
      lastEnded = { startedAt: activity.startedAt, endedAt: at, reason: truncate(reason, MAX_MESSAGE_LENGTH) };
    }
    if (activity?.type === 'deliverLinkToken') deliveredId ??= deliveredSchema.safeParse(result).data?.deliveryId;
    const [details] = decodePayloads(failed?.failure?.applicationFailureInfo?.details);
    const { sinkTried }: Partial<Record<keyof AttemptDetails, unknown>> = toObject(details);
    if (activity?.sink && sinkTried === false) delete activity.sink;
    const count = modified?.upsertedMemo?.fields?.['unconfirmedTokens'];
    // The workflow counts an attempt in its memo before it does anything else, so it is the one that ended last.
    if (lastEnded && count && Number(payloadConverter.fromPayload(count)) > unconfirmedAttempts.length) {
      unconfirmedAttempts.push(lastEnded);
      created = undefined;
    }
    failedWith ??= event.workflowExecutionFailedEventAttributes?.failure?.applicationFailureInfo?.details;
  }
  const recovery = recoverySchema.safeParse(input[1]).data;
  const token = recovery?.sealedToken ?? created ?? null;
  // Only the failure of a cancelled run names the sinks that may have the token.
  const { sinksTried: named } = failureDetailsSchema.safeParse(decodePayloads(failedWith)[0]).data ?? {};
  const sinks = [...activities.values()].flatMap(({ sink }) => sink ?? []);
  const sinksTried = named ?? [...new Set([...(recovery?.sinksTried ?? []), ...sinks])];
  return {
    request: toObject(input[0]),
    token,
    tokenRequestedAt: recovery ? null : tokenRequestedAt,
    deliveredId: deliveredId ?? null,
    unconfirmedAttempts,
    sinksTried: sinksTried.slice(0, MAX_SINKS_TRIED),
  };
}
