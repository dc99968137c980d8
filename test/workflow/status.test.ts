import type { PrepareRequest } from '../../src/contract/schemas';
import { eventually } from '../support/eventually';
import type { Handle } from '../support/installation';
import {
  activitySummaries,
  endingOf,
  scheduledActivities,
  statusOf,
  untilStep,
} from '../support/runs';
import {
  forbidden,
  afterCancel,
  created,
  rejectedWith,
  sinkRejects,
  unconfirmed,
} from './attempts';
import type { Script } from './scripted-worker';
import { worker } from './shared-worker';

/** Reads the paragraphs of the current details that the Temporal UI shows. */
async function currentDetails(handle: Handle): Promise<string[]> {
  const metadata = await handle.query<{ currentDetails?: string }>('__temporal_workflow_metadata');
  return (metadata.currentDetails ?? '').split('\n\n');
}

/** Writes the last paragraphs of the current details. */
function requestDetails(
  { orgId, sourceOrgId, sink }: PrepareRequest,
  count = '0',
  ...more: string[]
) {
  const organizations = [`Atlas organization: ${orgId}`, `Source organization: ${sourceOrgId}`];
  const lines = [...organizations, 'Entries of the access list: 1', `Sink: ${sink}`, ...more];
  return [`Unconfirmed tokens: ${count}`, lines.join('  \n')];
}

const GIVES_UP = expect.stringMatching(/^Creation gives up: \d{4}-.*Z$/);

describe('status, current details and summaries', () => {
  it.concurrent('of a delivered token say where it is', async () => {
    const { request, handle } = await worker().start();
    const { receipt } = await endingOf(handle);
    const deliveryId = receipt?.deliveryId ?? '';
    const description = `the token is in ${receipt?.location}`;
    expect(await currentDetails(handle)).toEqual([
      `**delivered**: ${description}`,
      ...requestDetails(request),
    ]);
    const status = { step: 'delivered', unconfirmedTokens: 0, nextAttemptAt: null };
    expect(await statusOf(handle)).toEqual({ ...status, description, deliveryId });
    const fairnessKeys = (await scheduledActivities(handle)).map(({ fairnessKey }) => fairnessKey);
    expect(fairnessKeys).toEqual([undefined, request.orgId, request.orgId]);
    const pair = `${request.orgId} for source organization ${request.sourceOrgId}`;
    expect(await activitySummaries(handle)).toEqual([
      'validate the request, and look for an earlier token',
      `create a link-token in ${pair}`,
      `deliver token ${deliveryId} of ${pair} to sink files`,
    ]);
  });

  it.concurrent('of a request under way say what it creates, how, and until when', async () => {
    const { request, handle } = await worker().start(
      { create: [afterCancel(created)] },
      { requestedBy: '**eve**`\n# x', changeReference: 'CHG-1' },
    );
    const { description } = await untilStep(handle, 'creating');
    const pair = `${request.orgId} for source organization ${request.sourceOrgId}`;
    const means = 'with credential default and an access list of length 1';
    expect(description).toBe(`creating a link-token in ${pair} ${means}`);
    const caller = ["Claimed requester: `**eve**'\\u000a# x`", 'Claimed change or ticket: `CHG-1`'];
    const details = [
      `**creating**: ${description}`,
      GIVES_UP,
      ...requestDetails(request, '0', ...caller),
    ];
    expect(await currentDetails(handle)).toEqual(details);
  });

  it.concurrent("of a rejected request quote Atlas's reason without its markup", async () => {
    const rejected = rejectedWith('Atlas says "Add \\[one](https://x.test) <b>."');
    const { request, handle } = await worker().start({ create: [rejected] });
    await endingOf(handle);
    expect(await currentDetails(handle)).toEqual([
      '**failed**: AtlasRequestRejected: Atlas says "Add \\\\\\[one](https://x.test) \\<b>."',
      ...requestDetails(request),
    ]);
  });

  async function startUndelivered(script: Script = {}) {
    const { request, handle } = await worker().start({ deliver: [sinkRejects], ...script });
    const { deliveryId, nextAttemptAt } = await untilStep(handle, 'undelivered');
    const target = `${request.orgId}/${request.sourceOrgId}`;
    return { request, handle, deliveryId, nextAttemptAt, target };
  }

  it.concurrent('of an undelivered token say how to deliver it', async () => {
    const { request, handle, nextAttemptAt, target } = await startUndelivered();
    const redeliver = `\`live-migration-prep redeliver ${target}\``;
    expect(await currentDetails(handle)).toEqual([
      '**undelivered**: SinkRejected: the sink rejects it',
      `Once the cause is fixed: ${redeliver} (with \`--sink <name>\` to another sink)`,
      `Next attempt: ${nextAttemptAt}`,
      ...requestDetails(request),
    ]);
  });

  it.concurrent('of a cancelled undelivered token say what to do about it', async () => {
    const { request, handle, deliveryId } = await startUndelivered({ revoke: [forbidden] });
    await handle.cancel();
    const { message } = await endingOf(handle);
    expect(message).toContain(
      `token ${deliveryId} is left: its API key abcdefgh could not be deleted:` +
        ' atlas.revocation of these workers is false; it may be in sink files',
    );
    const details = [`**cancelled**: Cancelled: ${message}`, ...requestDetails(request)];
    expect(await currentDetails(handle)).toEqual(details);
  });

  it.concurrent(
    'of a token that may exist say the reason, the count and the next attempt',
    async () => {
      const { request, handle } = await worker().start({ create: [unconfirmed(600_000)] });
      const { nextAttemptAt } = await eventually('a wait for the next attempt', async () => {
        const status = await statusOf(handle);
        return status.nextAttemptAt !== null && status;
      });
      expect(await currentDetails(handle)).toEqual([
        '**creating**: Atlas returned 503; Atlas may have created a token all the same',
        `Next attempt: ${nextAttemptAt}`,
        GIVES_UP,
        ...requestDetails(request, '1 (Atlas may have created them; the run never received them)'),
      ]);
      expect((await handle.describe()).memo).toEqual({
        unconfirmedTokens: 1,
        failure: {
          type: 'TokenUnconfirmed',
          message: 'Atlas returned 503; Atlas may have created a token all the same',
        },
        nextAttemptAt: expect.any(String),
      });
      await handle.cancel();
    },
  );
});
