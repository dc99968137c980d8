import { WorkflowUpdateFailedError } from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';
import {
  STATUS_QUERY,
  UPDATES,
  type DeliveryFailureType,
  type FailureType,
  type RefusalType,
  type Step,
} from '../../src/contract/names';
import type { PrepareRequest, Receipt, Status } from '../../src/contract/schemas';
import type { Deployment, Handle } from './deployment';
import { eventually } from './eventually';

/** The ending of an Update, as any caller sees it. */
interface UpdateOutcome {
  type: 'delivered' | DeliveryFailureType | FailureType | RefusalType;
  message: string;
  receipt: Receipt | null;
}

/** @throws Error unless the Update ended with a receipt, or with one failure and nothing behind it. */
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
  return outcomeOf(handle.executeUpdate(UPDATES.redeliver, { args: args as [unknown] }));
}

/** Sends the Update alone; the request may be malformed. */
export function awaitDelivery(handle: Handle, request: unknown): Promise<UpdateOutcome> {
  return outcomeOf(handle.executeUpdate(UPDATES.awaitDelivery, { args: [request] }));
}

/** Resolves once the run has accepted the caller, who then waits. */
export async function startWaiting(
  handle: Handle,
  request: unknown,
): Promise<{ outcome(): Promise<UpdateOutcome> }> {
  const update = await handle.startUpdate(UPDATES.awaitDelivery, {
    args: [request],
    waitForStage: 'ACCEPTED',
  });
  return { outcome: () => outcomeOf(update.result()) };
}

/** Starts a run, or joins the one that is open, and waits for the delivery, as any caller would. */
export function startAndAwait(
  deployment: Deployment,
  request: PrepareRequest,
  awaited: unknown = request,
): Promise<UpdateOutcome> {
  return outcomeOf(deployment.startWithUpdate(request, awaited));
}

export function statusOf(handle: Handle): Promise<Status> {
  return handle.query<Status>(STATUS_QUERY);
}

export async function untilStep(handle: Handle, step: Step): Promise<Status> {
  return eventually(`step ${step}`, async () => {
    const status = await statusOf(handle);
    return status.step === step && status;
  });
}
