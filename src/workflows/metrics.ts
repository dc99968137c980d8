import { metricMeter } from '@temporalio/workflow';
import type { Receipt, SealedToken } from '../contract/schemas';

// Temporal's meter for workflows is silent on replay. Labels name no organization.

/** @param outcome `delivered`, `cancelledWithoutToken`, or the type of the failure. */
export function countRun(outcome: string): void {
  metricMeter.createCounter('link_token_runs', undefined, 'Runs that ended, by outcome').add(1, { outcome });
}

export function countDelivery({ sink }: Pick<Receipt, 'sink'>): void {
  metricMeter.createCounter('link_token_delivered', undefined, 'Tokens delivered, by sink').add(1, { sink });
}

export function countUnconfirmedToken(): void {
  metricMeter
    .createCounter('link_token_unconfirmed', undefined, 'Tokens that Atlas may have created and nobody holds')
    .add(1);
}

/** Counts a failed round of delivery with the age of its token. */
export function countFailedRound(type: string, { createdAt }: SealedToken): void {
  metricMeter
    .createHistogram(
      'link_token_failed_round_age_seconds',
      'float',
      undefined,
      'Failed rounds of delivery, by the age of their token',
    )
    .record(Math.max(0, Date.now() - Date.parse(createdAt)) / 1000, { type });
}
