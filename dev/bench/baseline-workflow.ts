import { proxyActivities, proxyLocalActivities } from '@temporalio/workflow';

/** Lengths of the payloads of our job. */
export interface Sizes {
  validated: number;
  toCreate: number;
  sealed: number;
  toDeliver: number;
  receipt: number;
}

export interface BaselineActivities {
  /** Does nothing, and returns a text of this length. */
  returnText(input: string, length: number): Promise<string>;
  /** Lists the closed runs of this workflow id, as our job does before it creates a token. */
  listClosedRuns(): Promise<void>;
}

/**
 * Has the shape of our job: two local activities at once, then two others, and payloads of equal
 * size.
 */
export async function baseline(_request: unknown, sizes: Sizes): Promise<string> {
  const local = proxyLocalActivities<BaselineActivities>({ startToCloseTimeout: '5s' });
  await Promise.all([local.returnText('', sizes.validated), local.listClosedRuns()]);
  const { returnText } = proxyActivities<BaselineActivities>({ startToCloseTimeout: '5s' });
  await returnText('x'.repeat(sizes.toCreate), sizes.sealed);
  return returnText('x'.repeat(sizes.toDeliver), sizes.receipt);
}
