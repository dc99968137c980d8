import { rmSync } from 'node:fs';
import { defaultPayloadConverter } from '@temporalio/common';
import { STATUS_QUERY, type Status } from '../../src/contract/names';
import type { TestAtlas } from '../support/atlas';
import type { Deployment, Handle } from '../support/deployment';
import { endingOf, pendingActivity } from '../support/ending';
import { eventually } from '../support/eventually';
import { deploy, sharedTemporal, startAtlas } from '../support/setting';

jest.setTimeout(60_000);

let atlas: TestAtlas;
let deployment: Deployment;

beforeAll(async () => {
  atlas = await startAtlas();
  const retries = { create: {}, deliver: { initialIntervalMs: 60_000 } };
  deployment = await deploy({
    atlas,
    config: { retries: { ...retries, create: { initialIntervalMs: 20 } } },
  });
  await deployment.startWorker();
}, 60_000);

/** What the Temporal UI shows as current details. */
async function currentDetails(handle: Handle): Promise<string> {
  const metadata = await handle.query<{ currentDetails?: string }>('__temporal_workflow_metadata');
  return metadata.currentDetails ?? '';
}

/** What the Temporal UI shows beside each activity that was scheduled. */
async function activitySummaries(handle: Handle): Promise<string[]> {
  const { events } = await handle.fetchHistory();
  return (events ?? [])
    .map(({ userMetadata }) => userMetadata?.summary)
    .filter((summary) => summary !== undefined && summary !== null)
    .map((summary) => defaultPayloadConverter.fromPayload<string>(summary));
}

describe('the Temporal UI tells the story', () => {
  it('of a delivered token', async () => {
    const handle = await deployment.start();
    const { receipt } = await endingOf(handle);
    expect(await currentDetails(handle)).toBe(`**delivered**: the token is in ${receipt?.location}`);
    expect(await activitySummaries(handle)).toEqual([
      'check the request',
      `create a link-token in ${atlas.account.orgId}`,
      `hand token ${receipt?.deliveryId} to sink files`,
    ]);
    expect(await handle.query<Status>(STATUS_QUERY)).toEqual({
      step: 'delivered',
      description: `the token is in ${receipt?.location}`,
      unconfirmedTokens: 0,
    });
  });

  it('while Atlas is asked', async () => {
    atlas.faults({ on: 'linkTokens', delayMs: 1500 });
    const handle = await deployment.start();
    const details = await eventually('creating', async () => {
      const told = await currentDetails(handle);
      return told.startsWith('**creating**') && told;
    });
    expect(details).toBe(
      `**creating**: asking Atlas for a link-token for organization ${atlas.account.orgId} as default, 1 access list entries`,
    );
    expect(await endingOf(handle)).toMatchObject({ type: 'delivered' });
  });

  it('of a refusal, in the words of Atlas', async () => {
    atlas.faults({
      on: 'linkTokens',
      status: 403,
      errorCode: 'ORG_REQUIRES_ACCESS_LIST',
      detail: 'Add one.',
    });
    const handle = await deployment.start();
    const { message } = await endingOf(handle);
    expect(await currentDetails(handle)).toBe(`**failed**: AtlasRequestRejected: ${message}`);
    expect(message).toMatch(
      /^Atlas answered 403 ORG_REQUIRES_ACCESS_LIST to the link-token call: "Add one\."; give/,
    );
  });

  it('while a token waits for its sink, and of how to get it when that is cancelled', async () => {
    rmSync(deployment.tokensFolder, { recursive: true });
    const handle = await deployment.start();
    const { client } = await sharedTemporal();
    await eventually('an unavailable sink', async () => {
      return (await pendingActivity(client, handle.workflowId))?.lastFailure?.includes('ENOENT');
    });
    expect(await currentDetails(handle)).toBe(
      "**delivering**: the token exists, sealed in this run's history; handing it to sink files",
    );
    await handle.cancel();
    await handle.result().catch(() => undefined);
    expect(await currentDetails(handle)).toMatch(
      /^\*\*cancelled\*\*: cancelled; Atlas may have created 0 token\(s\) unseen; token \S+ is kept, sealed, .* redeliver/,
    );
  });
});
