import { proxyActivities, proxyLocalActivities } from '@temporalio/workflow';

interface Nothing {
  nothing(): Promise<void>;
}

/** The shape of our job and none of its work: one local activity, two others. */
export async function baseline(): Promise<void> {
  await proxyLocalActivities<Nothing>({ startToCloseTimeout: '5s' }).nothing();
  const { nothing } = proxyActivities<Nothing>({ startToCloseTimeout: '5s' });
  await nothing();
  await nothing();
}
