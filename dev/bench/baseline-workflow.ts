import { proxyActivities } from '@temporalio/workflow';

/** Lengths of the payloads of our job. */
export interface Sizes {
  validated: number;
  toCreate: number;
  sealed: number;
  toDeliver: number;
  receipt: number;
}

/** A sealed token, and a text beside it in place of the facts of our job. */
export interface Sealed {
  jwe: string;
  facts: string;
}

export interface BaselineActivities {
  /** Lists the closed runs of this workflow id, and returns a text of this length. */
  validate(length: number): Promise<string>;
  /** Returns a token and facts of these lengths. */
  create(request: string, jweLength: number, factsLength: number): Promise<Sealed>;
  /** Returns a text of this length. */
  deliver(jwe: string, length: number): Promise<string>;
}

const OPTIONS = { startToCloseTimeout: '5s', retry: { maximumAttempts: 1 } } as const;
const { validate, create, deliver } = proxyActivities<BaselineActivities>(OPTIONS);

/**
 * Has the shape of our job: three activities, one after the other, and payloads of about equal size.
 */
export async function baseline(_request: unknown, sizes: Sizes): Promise<string> {
  const { validated, toCreate, sealed, toDeliver, receipt } = sizes;
  await validate(validated);
  const { jwe } = await create('x'.repeat(toCreate), toDeliver, sealed - toDeliver);
  return deliver(jwe, receipt);
}
