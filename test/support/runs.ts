import {
  WithStartWorkflowOperation,
  WorkflowFailedError,
  WorkflowUpdateFailedError,
  type Client,
  type WorkflowHandle,
} from '@temporalio/client';
import { ApplicationFailure, CancelledFailure, defaultPayloadConverter } from '@temporalio/common';
import {
  type DeliveryFailureType,
  type FailureType,
  type RefusalType,
} from '../../src/contract/failure-types';
import type { FailureDetails, PrepareRequest, Receipt, Status } from '../../src/contract/schemas';
import type { Step } from '../../src/contract/states';
import {
  awaitDeliveryUpdate,
  redeliverUpdate,
  statusQuery,
  WORKFLOW_TYPES,
} from '../../src/contract/workflows';
import { toMs } from '../../src/temporal/grpc';
import { eventually } from './eventually';
import type { Handle, Installation, System } from './installation';
import { untilScraped } from './scrape';
import { sharedTemporal } from './temporal';

/** The ending of a run, as any caller sees it. */
export interface Ending {
  /** `CANCELLED` is Temporal's own ending: no API key is left. */
  type: FailureType | 'delivered' | 'CANCELLED';
  unconfirmedTokens: number;
  message: string;
  details: FailureDetails | null;
  receipt: Receipt | null;
}

/**
 * @throws Error unless the run ended with a receipt, or with one failure at the top and nothing
 *   behind it.
 */
export async function endingOf(handle: Pick<Handle, 'result'>): Promise<Ending> {
  const nothing = { unconfirmedTokens: 0, message: '', details: null, receipt: null };
  try {
    const receipt = await handle.result();
    const { unconfirmedTokens } = receipt;
    return { ...nothing, type: 'delivered', unconfirmedTokens, receipt };
  } catch (error) {
    if (!(error instanceof WorkflowFailedError)) throw error;
    const { cause } = error;
    if (cause instanceof CancelledFailure) return { ...nothing, type: 'CANCELLED' };
    if (!(cause instanceof ApplicationFailure) || cause.cause || !cause.nonRetryable) throw error;
    const details = cause.details?.[0] as FailureDetails;
    const { unconfirmedTokens } = details;
    return {
      ...nothing,
      type: cause.type as FailureType,
      unconfirmedTokens,
      message: cause.message,
      details,
    };
  }
}

/** Cancels or terminates a run, and waits until it has ended. */
export async function end(handle: WorkflowHandle, how: 'cancel' | 'terminate'): Promise<void> {
  await handle[how]();
  await handle.result().catch(() => undefined);
}

/** Starts a run, and waits until Atlas works on its POST. */
export async function startPost({ atlas, installation }: Pick<System, 'atlas' | 'installation'>) {
  const before = atlas.posts().length;
  const handle = await installation.start();
  await eventually('a POST', () => atlas.posts().length > before);
  return handle;
}

/** Terminates a run during its POST. Returns a scrape in which Temporal has refused the result. */
export async function refuseResult(system: Pick<System, 'atlas' | 'installation'>, port: number) {
  system.atlas.faults({ on: 'linkTokens', delayMs: 60_000 });
  await (await startPost(system)).terminate();
  // Before the next heartbeat, whose response would cancel the attempt.
  system.atlas.clearFaults();
  const refusal = { operation: 'RespondActivityTaskCompleted', status_code: 'NOT_FOUND' };
  return untilScraped(port, 'temporal_request_failure_total', refusal);
}

/** Resolves with the message of a failed attempt to deliver, while the next one waits. */
export async function untilDeliveryFails(handle: Pick<Handle, 'describe'>): Promise<string> {
  return eventually('a failed attempt to deliver', async () => {
    const pending = await pendingActivity(handle);
    return pending?.type === 'deliverLinkToken' && pending.lastFailure;
  });
}

/** Resolves once the only activity of a run waits for its second attempt. */
export async function untilBackOff(handle: Pick<Handle, 'describe'>): Promise<void> {
  await eventually('back-off', async () => (await pendingActivity(handle))?.attempt === 2);
}

/** Describes a run's one activity under way; null when none is. */
export async function pendingActivity(handle: Pick<Handle, 'describe'>) {
  const { raw } = await handle.describe();
  const [pending] = raw.pendingActivities ?? [];
  if (!pending) return null;
  return {
    type: pending.activityType?.name ?? '',
    attempt: pending.attempt ?? 1,
    lastFailure: pending.lastFailure?.message ?? null,
  };
}

/**
 * Does what `temporal activity` does to a run's one activity under way. The command itself gives up
 * on a busy machine.
 */
export async function operate(
  handle: Operable,
  verb: 'pause' | 'unpause' | 'reset',
  client?: Client,
): Promise<void> {
  const { workflowService: service } = client ?? (await sharedTemporal()).client;
  const target = await activityUnderWay(handle);
  const calls = {
    pause: () => service.pauseActivity(target),
    unpause: () => service.unpauseActivity(target),
    reset: () => service.resetActivity(target),
  };
  await calls[verb]();
}

/**
 * Changes a timeout of a run's one activity under way, as `temporal activity update-options` does.
 */
export async function setTimeoutOf(
  handle: Operable,
  timeout: 'heartbeat' | 'schedule_to_close',
  timeoutMs: number,
): Promise<void> {
  const { workflowService } = (await sharedTemporal()).client;
  const name = timeout === 'heartbeat' ? 'heartbeatTimeout' : 'scheduleToCloseTimeout';
  const time = { seconds: Math.floor(timeoutMs / 1000), nanos: (timeoutMs % 1000) * 1e6 };
  const change = {
    activityOptions: { [name]: time },
    updateMask: { paths: [`${timeout}_timeout`] },
  };
  await workflowService.updateActivityOptions({
    ...(await activityUnderWay(handle)),
    ...(change as object),
  });
}

type Operable = Pick<Handle, 'workflowId' | 'describe'>;

async function activityUnderWay(handle: Operable) {
  const [activity] = (await handle.describe()).raw.pendingActivities ?? [];
  if (!activity?.activityId) throw new Error(`${handle.workflowId} has no activity under way`);
  return {
    namespace: 'default',
    execution: { workflowId: handle.workflowId },
    id: activity.activityId,
  };
}

/**
 * Times out the attempts of these runs, whose worker is killed or frozen. All other attempts have
 * long timeouts, so that none is lost however busy the machine is.
 */
export async function loseAttempts(...handles: Handle[]): Promise<void> {
  const lose = async (handle: Handle) => {
    const [attempt] = (await handle.describe()).raw.pendingActivities ?? [];
    await setTimeoutOf(handle, 'heartbeat', 1000);
    if (attempt?.paused) await operate(handle, 'unpause');
    await eventually('a lost attempt', async () => {
      const [pending] = (await handle.describe()).raw.pendingActivities ?? [];
      return pending?.activityId !== attempt?.activityId;
    });
  };
  await Promise.all(handles.map(lose));
}

/** The ending of an Update, as any caller sees it. */
interface UpdateOutcome {
  type: 'delivered' | DeliveryFailureType | FailureType | RefusalType;
  message: string;
  receipt: Receipt | null;
}

/**
 * @throws Error unless the Update ended with a receipt, or with one failure and nothing behind it.
 */
async function outcomeOf(update: Promise<unknown>): Promise<UpdateOutcome> {
  try {
    return { type: 'delivered', message: '', receipt: (await update) as Receipt };
  } catch (error) {
    if (!(error instanceof WorkflowUpdateFailedError)) throw error;
    const { cause } = error;
    if (!(cause instanceof ApplicationFailure) || cause.cause) throw error;
    return { type: cause.type as UpdateOutcome['type'], message: cause.message, receipt: null };
  }
}

/** @param args none, or one input, which may be malformed. */
export function redeliver(handle: Handle, ...args: unknown[]): Promise<UpdateOutcome> {
  return outcomeOf(handle.executeUpdate(redeliverUpdate.name, { args: args as [unknown] }));
}

/** Sends the Update alone; the request may be malformed. */
export function awaitDelivery(handle: Handle, request: unknown): Promise<UpdateOutcome> {
  return outcomeOf(handle.executeUpdate(awaitDeliveryUpdate.name, { args: [request] }));
}

/** Resolves once the run has accepted the caller, who then waits, or has refused it. */
export async function startWaiting(handle: Handle, request: unknown, updateId?: string) {
  const update = await handle.startUpdate(awaitDeliveryUpdate.name, {
    args: [request],
    waitForStage: 'ACCEPTED',
    ...(updateId && { updateId }),
  });
  return { outcome: () => outcomeOf(update.result()) };
}

/**
 * Starts a run, or joins the one that is open, and waits for the delivery, as docs/callers.md
 * shows.
 */
export function startAndAwait(
  { handleOf, runOptions, taskQueue }: Installation,
  request: PrepareRequest,
  awaited: unknown = request,
): Promise<UpdateOutcome> {
  const { client, workflowId } = handleOf(request);
  const startWorkflowOperation = new WithStartWorkflowOperation(WORKFLOW_TYPES.prepare, {
    workflowId,
    taskQueue,
    args: [request],
    workflowIdConflictPolicy: 'USE_EXISTING',
    workflowIdReusePolicy: 'ALLOW_DUPLICATE_FAILED_ONLY',
    ...runOptions,
  });
  const start = { startWorkflowOperation, args: [awaited] as [unknown] };
  return outcomeOf(client.executeUpdateWithStart(awaitDeliveryUpdate.name, start));
}

export function statusOf(handle: Handle): Promise<Status> {
  return handle.query(statusQuery);
}

export async function untilStep(handle: Handle, step: Step): Promise<Status> {
  return eventually(`step ${step}`, async () => {
    // A worker that is short of time, or of memory for open runs, may respond too late.
    const status = await statusOf(handle).catch(() => null);
    return status?.step === step && status;
  });
}

type WithHistory = Pick<Handle, 'fetchHistory'>;

const eventsOf = async (handle: WithHistory) => (await handle.fetchHistory()).events ?? [];

/** Names the events of a run, except those of workflow tasks, which a busy machine adds. */
export async function eventsBesideTasks(handle: WithHistory): Promise<string[]> {
  const keys = (await eventsOf(handle)).flatMap(Object.keys);
  return keys.filter((key) =>
    /^(?!workflowTask(Scheduled|Started|Completed|TimedOut)).*Attributes$/.test(key),
  );
}

/** Reads the result of the first `createLinkToken` that completed; null when none did. */
export async function createdToken(handle: WithHistory): Promise<unknown> {
  const events = await eventsOf(handle);
  for (const { activityTaskCompletedEventAttributes: completed } of events) {
    // Ids of events count from 1.
    const scheduled =
      events[Number(completed?.scheduledEventId) - 1]?.activityTaskScheduledEventAttributes;
    const [payload] = completed?.result?.payloads ?? [];
    if (payload && scheduled?.activityType?.name === 'createLinkToken') {
      return defaultPayloadConverter.fromPayload(payload);
    }
  }
  return null;
}

/**
 * Reads the activities that a run scheduled on a task queue: their type, fairness key and time in
 * milliseconds.
 */
export async function scheduledActivities(handle: WithHistory) {
  return (await eventsOf(handle)).flatMap(
    ({ eventTime, activityTaskScheduledEventAttributes: scheduled }) => {
      const [type, fairnessKey] = [scheduled?.activityType?.name, scheduled?.priority?.fairnessKey];
      return type ? [{ type, fairnessKey, atMs: toMs(eventTime) }] : [];
    },
  );
}

/** Summaries of the activities that were scheduled, as the Temporal UI shows them. */
export async function activitySummaries(handle: WithHistory): Promise<string[]> {
  return (await eventsOf(handle))
    .flatMap(({ userMetadata }) => userMetadata?.summary ?? [])
    .map((summary) => defaultPayloadConverter.fromPayload<string>(summary));
}
