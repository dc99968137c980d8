import { WorkflowFailedError, type WorkflowHandle } from '@temporalio/client';
import { ApplicationFailure, CancelledFailure } from '@temporalio/common';
import type { FailureType } from '../../src/contract/names';
import type { FailureDetails, Receipt } from '../../src/contract/schemas';
import type { Handle } from './deployment';
import { eventually } from './eventually';

/** The ending of a run, as any caller sees it. */
export interface Ending {
  /** `CANCELLED` is Temporal's own ending: nothing was created. */
  type: FailureType | 'delivered' | 'CANCELLED';
  unconfirmedTokens: number;
  message: string;
  details: FailureDetails | null;
  receipt: Receipt | null;
}

/** @throws Error unless the run ended with a receipt, or with one failure at the top and nothing behind it. */
export async function endingOf(handle: Pick<Handle, 'result'>): Promise<Ending> {
  try {
    const receipt = await handle.result();
    const { unconfirmedTokens } = receipt;
    return { type: 'delivered', unconfirmedTokens, message: '', details: null, receipt };
  } catch (error) {
    if (!(error instanceof WorkflowFailedError)) throw error;
    const { cause } = error;
    if (cause instanceof CancelledFailure) {
      return { type: 'CANCELLED', unconfirmedTokens: 0, message: '', details: null, receipt: null };
    }
    if (!(cause instanceof ApplicationFailure)) throw error;
    if (cause.cause) throw new Error('there is a cause behind the one failure', { cause: error });
    if (!cause.nonRetryable) throw new Error('the one failure can be retried', { cause: error });
    const details = cause.details?.[0] as FailureDetails;
    const { unconfirmedTokens } = details;
    const type = cause.type as FailureType;
    return { type, unconfirmedTokens, message: cause.message, details, receipt: null };
  }
}

/** Cancels or terminates a run, and waits until it has ended. */
export async function end(
  handle: Pick<WorkflowHandle, 'cancel' | 'terminate' | 'result'>,
  how: 'cancel' | 'terminate',
): Promise<void> {
  await handle[how]();
  await handle.result().catch(() => undefined);
}

/** @throws unless each token that Atlas created is in the receipt, named by a cancelled run, or counted. */
export function expectCounted({ receipt, details, unconfirmedTokens }: Ending, created: number): void {
  const known = receipt || details?.deliveryId ? 1 : 0;
  expect(unconfirmedTokens + known).toBeGreaterThanOrEqual(created);
}

/** Resolves once an attempt to deliver has failed that is followed by another, with its message. */
export async function untilDeliveryFails(handle: Pick<Handle, 'describe'>): Promise<string> {
  return eventually('a failed attempt to deliver', async () => {
    const pending = await pendingActivity(handle);
    return pending?.type === 'deliverLinkToken' && pending.lastFailure;
  });
}

/** Resolves once the second attempt of a run's one activity waits for its time. */
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
