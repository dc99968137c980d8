import { WorkflowFailedError, type Client } from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';
import type { FailureDetails, FailureType, Receipt } from '../../src/contract/names';
import type { Handle } from './deployment';

/** How a run ended that was not cancelled, as any caller sees it. */
export interface Ending {
  type: FailureType | 'delivered';
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
    if (!(cause instanceof ApplicationFailure)) throw error;
    if (cause.cause) throw new Error('there is a cause behind the one failure', { cause: error });
    if (!cause.nonRetryable) throw new Error('the one failure can be retried', { cause: error });
    const details = cause.details?.[0] as FailureDetails;
    const { unconfirmedTokens } = details;
    const type = cause.type as FailureType;
    return { type, unconfirmedTokens, message: cause.message, details, receipt: null };
  }
}

/** Of a run's one activity under way; null when none is. */
export async function pendingActivity(client: Client, workflowId: string) {
  const { raw } = await client.workflow.getHandle(workflowId).describe();
  const [pending] = raw.pendingActivities ?? [];
  if (!pending) return null;
  return {
    type: pending.activityType?.name ?? '',
    attempt: pending.attempt ?? 1,
    lastFailure: pending.lastFailure?.message ?? null,
  };
}
