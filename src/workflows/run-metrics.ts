import { metricMeter } from '@temporalio/workflow';
import type { Receipt, SealedToken } from '../contract/schemas';

// Temporal's meter for workflows is silent on replay. Labels name no organization.
// src/worker/worker-metrics.ts starts three of these counters at 0; a description in one place only
// would make Core serve each series twice.

/** @param outcome `delivered`, `cancelledWithoutToken`, or the type of the failure. */
export function countRun(outcome: string): void {
  metricMeter.createCounter('link_token_runs').add(1, { outcome });
}

/**
 * @param outcome the outcome in the result, the type of the failure, or `other` for an unknown
 *   type.
 */
export function countScheduledRun(outcome: string): void {
  metricMeter.createCounter('link_token_schedule_runs').add(1, { outcome });
}

export function countDelivery({ sink }: Pick<Receipt, 'sink'>): void {
  metricMeter.createCounter('link_token_delivered').add(1, { sink });
}

export function countUnconfirmedToken(): void {
  metricMeter.createCounter('link_token_unconfirmed').add(1);
}

/** Counts a failed round or redelivery with the age of its token. */
export function countFailedDelivery(type: string, { createdAt }: SealedToken): void {
  const ageS = Math.max(0, Date.now() - Date.parse(createdAt)) / 1000;
  metricMeter
    .createHistogram('link_token_age_at_failed_delivery_seconds', 'float')
    .record(ageS, { type });
}
