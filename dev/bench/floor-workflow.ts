import { proxyActivities, proxyLocalActivities } from '@temporalio/workflow';

/** Lengths of what our job passes: result of the validation, input and result of the creation, and of the delivery. */
export interface Sizes {
  validated: number;
  toCreate: number;
  sealed: number;
  toDeliver: number;
  receipt: number;
}

export interface Floor {
  nothing(input: string, length: number): Promise<string>;
}

/** The shape of our job and none of its work: one local activity, two others, and payloads of the same size. */
export async function floor(_request: unknown, sizes: Sizes): Promise<string> {
  await proxyLocalActivities<Floor>({ startToCloseTimeout: '5s' }).nothing('', sizes.validated);
  const { nothing } = proxyActivities<Floor>({ startToCloseTimeout: '5s' });
  await nothing('x'.repeat(sizes.toCreate), sizes.sealed);
  return nothing('x'.repeat(sizes.toDeliver), sizes.receipt);
}
