import type { PrepareRequest, Status } from '../../src/contract/schemas';
import { eventually } from '../support/eventually';
import type { Handle } from '../support/installation';
import { activitySummaries, endingOf, fairnessKeys, statusOf, untilStep } from '../support/runs';
import { Gate, created, rejectedWith, responseAt, sinkRejects, unconfirmed } from './attempts';
import { startScriptedWorker, type ScriptedWorker } from './scripted-worker';

let worker: ScriptedWorker;
beforeAll(async () => {
  worker = await startScriptedWorker();
});

/** Reads the current details that the Temporal UI shows. */
async function currentDetails(handle: Handle): Promise<string> {
  const metadata = await handle.query<{ currentDetails?: string }>('__temporal_workflow_metadata');
  return metadata.currentDetails ?? '';
}

/** The end of the current details: the count, and the request. */
function requestDetails(
  { orgId, sourceOrgId, sink }: PrepareRequest,
  unconfirmed: string,
  ...more: string[]
): string {
  const lines = [
    `Atlas organization: ${orgId}`,
    `Source organization: ${sourceOrgId}`,
    'Entries of the access list: 1',
    `Sink: ${sink}`,
    ...more,
  ];
  return `\n\nUnconfirmed tokens: ${unconfirmed}\n\n${lines.join('  \n')}`;
}

describe('status, current details and activity summaries say what a run does', () => {
  it.concurrent('a delivered token: where it is', async () => {
    const { request, handle } = await worker.start();
    const { receipt } = await endingOf(handle);
    const description = `the token is in ${receipt?.location}`;
    expect(await currentDetails(handle)).toBe(`**delivered**: ${description}${requestDetails(request, '0')}`);
    expect(await statusOf(handle)).toEqual<Status>({
      step: 'delivered',
      description,
      unconfirmedTokens: 0,
      deliveryId: receipt?.deliveryId ?? '',
      nextTryAt: null,
    });
    expect(await fairnessKeys(handle)).toEqual([request.orgId, request.orgId]);
    expect(await activitySummaries(handle)).toEqual([
      'check the request',
      'look for an earlier token',
      `create a link-token in ${request.orgId} for source organization ${request.sourceOrgId}`,
      `deliver token ${receipt?.deliveryId} of ${request.orgId} for source organization ${request.sourceOrgId} to sink files`,
    ]);
  });

  it.concurrent('a request under way: what is created, with which credential, until when', async () => {
    const gate = new Gate();
    const { request, handle } = await worker.start(
      { create: [responseAt(gate, created)] },
      { request: { requestedBy: '**eve**`\n# x', changeReference: 'CHG-1' } },
    );
    const { description } = await untilStep(handle, 'creating');
    expect(description).toMatch(
      new RegExp(
        `^creating a link-token in ${request.orgId} for source organization ${request.sourceOrgId} with credential default and an access list of length 1 \\(try 1\\)$`,
      ),
    );
    const details = await currentDetails(handle);
    const [, until = ''] = /^Creation gives up: (\d{4}-.*Z)$/m.exec(details) ?? [];
    expect(details).toBe(
      `**creating**: ${description}\n\nCreation gives up: ${until}${requestDetails(
        request,
        '0',
        "Requested by (a claim): `**eve**'\\u000a# x`",
        'Change: `CHG-1`',
      )}`,
    );
    gate.open();
  });

  it.concurrent("a rejected request: Atlas's own reason, and what to do", async () => {
    const rejected = rejectedWith(String.raw`Atlas says "Add \[one](https://x.test) <b>."; give one`);
    const { request, handle } = await worker.start({ create: [rejected] });
    const { message } = await endingOf(handle);
    expect(await currentDetails(handle)).toBe(
      `**failed**: AtlasRequestRejected: ${message.replace('\\[', String.raw`\\\[`).replace('<', String.raw`\<`)}${requestDetails(request, '0')}`,
    );
  });

  it.concurrent(
    'an undelivered token: the reason and how to deliver it; once cancelled, which token is left',
    async () => {
      const { request, handle } = await worker.start({ deliver: [sinkRejects] });
      const { deliveryId, description, nextTryAt } = await untilStep(handle, 'undelivered');
      const target = `--org ${request.orgId} --source-org ${request.sourceOrgId}`;
      expect(description).toBe('SinkRejected: the sink rejects it');
      expect(await currentDetails(handle)).toBe(
        [
          `**undelivered**: ${description}`,
          `Once the cause is fixed: \`live-migration-prep redeliver ${target}\` (with \`--sink <name>\` to another sink)`,
          `Next try: ${nextTryAt}${requestDetails(request, '0')}`,
        ].join('\n\n'),
      );

      await handle.cancel();
      const { message } = await endingOf(handle);
      const { runId } = await handle.describe();
      expect(message).toContain(`token ${deliveryId} is not confirmed as delivered`);
      expect(message).toContain(`live-migration-prep recover ${target} --run-id ${runId}`);
      expect(await currentDetails(handle)).toBe(
        `**cancelled**: Cancelled: ${message}${requestDetails(request, '0')}`,
      );
    },
  );

  it.concurrent(
    'a response that leaves open whether a token exists: the reason, the count and the next try',
    async () => {
      const { request, handle } = await worker.start({ create: [unconfirmed(600_000)] });
      const { nextTryAt, description } = await eventually('a wait for the next try', async () => {
        const status = await statusOf(handle);
        return status.nextTryAt !== null && status;
      });
      expect(description).toBe('Atlas returned 503; Atlas may have created a token all the same');
      const [reason, nextTry, givesUp, ...rest] = (await currentDetails(handle)).split('\n\n');
      expect({ reason, nextTry }).toEqual({
        reason: `**creating**: ${description}`,
        nextTry: `Next try: ${nextTryAt}`,
      });
      expect(givesUp).toMatch(/^Creation gives up: \d{4}-.*Z$/);
      const count = '1 (Atlas may have created them; the run never received them)';
      expect(rest.join('\n\n')).toBe(requestDetails(request, count).trim());
      expect((await handle.describe()).memo).toEqual({ unconfirmedTokens: 1 });
      await handle.cancel();
    },
  );
});
