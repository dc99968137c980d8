import { metricMeter } from '@temporalio/workflow';
import type { Receipt, Revoked } from '../contract/schemas';

// Temporal's meter for workflows is silent on replay. Labels name no organization.
// src/worker/worker-metrics.ts starts three of these counters at 0; a description in one place only
// would make Core serve each series twice.

/** @param outcome `delivered`, `cancelledWithoutToken`, or the type of the failure. */
export function countRun(outcome: string): void {
  metricMeter.createCounter('link_token_runs').add(1, { outcome });
}

export function countDelivery({ sink }: Pick<Receipt, 'sink'>): void {
  metricMeter.createCounter('link_token_delivered').add(1, { sink });
}

export function countRevoked({ outcome }: Pick<Revoked, 'outcome'>): void {
  metricMeter.createCounter('link_token_revoked').add(1, { outcome });
}

export function countUnconfirmedToken(): void {
  metricMeter.createCounter('link_token_unconfirmed').add(1);
}
