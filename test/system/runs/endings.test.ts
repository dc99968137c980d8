import { readFileSync, statSync } from 'node:fs';
import {
  MAX_ACCESS_LIST_ENTRIES,
  MAX_LINK_TOKEN_BYTES,
  MAX_WARNINGS,
  MAX_WARNING_LENGTH,
} from '../../../src/contract/limits';
import { MAX_TEXT_LENGTH, workflowIdFor } from '../../../src/contract/names';
import type { SealedToken } from '../../../src/contract/schemas';
import { createSealer } from '../../../src/secrets/sealing';
import { eventually } from '../../support/eventually';
import { createOwnOrganizations, type OwnOrganizations } from '../../support/organizations';
import { createdToken, endingOf, redeliver, startWaiting, untilStep } from '../../support/runs';
import { sharedTemporal, temporalCli } from '../../support/temporal';
import { startWebhookReceiver, type WebhookReceiver } from '../../support/webhook-receiver';

const on = 'linkTokens';

let receiver: WebhookReceiver;
let own: OwnOrganizations;
beforeAll(async () => {
  receiver = await startWebhookReceiver();
  own = await createOwnOrganizations({ sinks: { hangs: receiver.sink('hangs') } }, receiver.env);
  await own.deployment.startWorker();
});

/** A run whose delivery hangs. */
async function startHanging() {
  const run = await own.start(own.newRequest({ sink: 'hangs' }));
  await eventually('an attempt', () => receiver.hanging(run.request) === 1);
  return run;
}

it.concurrent(
  'a clean run: the token in a file of mode 0600, ten events beside workflow tasks, no heartbeat, no memo',
  async () => {
    const request = own.newRequest();
    // Long enough to be described, and shorter than the time to the first heartbeat.
    own.setFaults(request, { on, delayMs: 1000 });
    const handle = await own.deployment.start(request);
    await own.untilMet(request);
    const [pending] = (await handle.describe()).raw.pendingActivities ?? [];
    expect(pending).toMatchObject({ activityType: { name: 'createLinkToken' } });
    expect([pending?.lastHeartbeatTime ?? null, pending?.heartbeatDetails ?? null]).toEqual([null, null]);

    const { receipt } = await endingOf(handle);
    expect(receipt).toMatchObject({ ...request, unconfirmedTokens: 0, alsoTried: [] });
    const file = /^file (.*) on the worker's host$/.exec(receipt?.location ?? '')?.[1] ?? '';
    expect(statSync(file).mode & 0o777).toBe(0o600);
    const [token, ...others] = own.atlas.createdTokens().filter(({ orgId }) => orgId === request.orgId);
    expect(others).toEqual([]);
    expect(readFileSync(file, 'utf8')).toBe(token?.linkToken);
    const { events } = await handle.fetchHistory();
    // A run has 19 events with three workflow tasks; a busy machine adds tasks.
    const eventTypes = (events ?? []).flatMap((event) =>
      Object.keys(event).filter(
        (key) =>
          key.endsWith('Attributes') && !/^workflowTask(Scheduled|Started|Completed|TimedOut)/.test(key),
      ),
    );
    expect(eventTypes).toHaveLength(10);
    expect((await handle.describe()).memo).toEqual({});
  },
);

it.concurrent(
  'a redelivery while an attempt hangs: the attempt stops, and the receipt names its sink',
  async () => {
    const { request, handle } = await startHanging();
    const { receipt } = await redeliver(handle, { sink: 'files' });
    expect(receipt).toMatchObject({ sink: 'files', alsoTried: ['hangs'] });
    expect(receiver.hanging(request)).toBe(0);
  },
);

it.concurrent('a redelivery by the Temporal command line delivers an undelivered token', async () => {
  const { handle } = await own.start(own.newRequest({ sink: 'rejects' }));
  const { deliveryId } = await untilStep(handle, 'undelivered');
  const { address } = await sharedTemporal();
  const update = (...input: string[]) => {
    const target = ['--workflow-id', handle.workflowId, '--name', 'redeliver'];
    return temporalCli(address, 'workflow', 'update', 'execute', ...target, ...input);
  };
  expect((await update()).stderr).toContain('is not a directory: correct its path');
  const { code, stdout } = await update('--input', '{"sink": "files"}');
  expect([code, stdout]).toEqual([0, expect.stringContaining('alsoTried')]);
  expect(await endingOf(handle)).toMatchObject({ receipt: { sink: 'files' } });
  const copies = own.deployment.tokenFiles().filter((name) => name.includes(String(deliveryId)));
  expect(copies).toHaveLength(1);
});

it.concurrent(
  'a cancel during a POST that brings a token, with a caller waiting: it is delivered',
  async () => {
    const { request, handle } = await own.start(own.newRequest(), { on, delayMs: 4000 });
    const waiting = await startWaiting(handle, request);
    await handle.cancel();
    const { type, receipt } = await endingOf(handle);
    expect(type).toBe('delivered');
    expect(await waiting.outcome()).toMatchObject({ receipt });
    expect(own.created(request)).toBe(1);
  },
);

it.concurrent('a cancel while delivering: the attempt stops; a new run recovers the token', async () => {
  const { request, handle } = await startHanging();
  await handle.cancel();
  const { type, details } = await endingOf(handle);
  expect({ type, sinksTried: details?.sinksTried }).toEqual({ type: 'Cancelled', sinksTried: ['hangs'] });
  await eventually('the end of the request', () => receiver.hanging(request) === 0);

  const sealedToken = (await createdToken(handle)) as SealedToken;
  const recovery = { sealedToken, sinksTried: ['hangs'] };
  const recovered = await own.deployment.start({ ...request, sink: 'files' }, recovery);
  const { deliveryId } = details ?? {};
  expect(await endingOf(recovered)).toMatchObject({
    receipt: { sink: 'files', deliveryId, alsoTried: ['hangs'] },
  });
  expect(own.created(request)).toBe(1);
});

it.concurrent('a token of the largest size, of the largest request, is recovered', async () => {
  const text = '\u0001'.repeat(MAX_TEXT_LENGTH);
  const request = own.newRequest({ accessListIps: [], requestedBy: text, changeReference: text });
  const facts = {
    orgId: request.orgId,
    sourceOrgId: request.sourceOrgId ?? null,
    accessListIps: Array.from(
      { length: MAX_ACCESS_LIST_ENTRIES },
      (_, index) => `2a00:ffff:ffff:ffff:ffff:ffff:ffff:${(0x1000 + index).toString(16)}/128`,
    ),
    credential: 'c'.repeat(MAX_TEXT_LENGTH),
    warnings: Array.from({ length: MAX_WARNINGS }, () => 'w'.repeat(MAX_WARNING_LENGTH)),
    requestedBy: text,
    changeReference: text,
    unconfirmedTokens: 1_000_000,
  };
  const sealer = createSealer(() => readFileSync(own.deployment.keysFile, 'utf8'));
  const linkToken = 't'.repeat(MAX_LINK_TOKEN_BYTES - 2);
  const workflowId = workflowIdFor(request.orgId, request.sourceOrgId);
  const sealedToken = await sealer.seal(linkToken, facts, workflowId);

  const handle = await own.deployment.start(request, { sealedToken, sinksTried: [] });
  const { deliveryId } = sealedToken;
  expect(await endingOf(handle)).toMatchObject({ type: 'delivered', receipt: { deliveryId } });
  expect(own.deployment.tokens()).toContain(linkToken);
});

it.concurrent('a token that is larger is counted, and the run ends as TokenLost', async () => {
  const body = { linkToken: 't'.repeat(MAX_LINK_TOKEN_BYTES) };
  const { handle } = await own.start(own.newRequest(), { on, status: 201, body });
  const { type, unconfirmedTokens, message } = await endingOf(handle);
  expect({ type, unconfirmedTokens }).toEqual({ type: 'TokenLost', unconfirmedTokens: 1 });
  expect(message).toContain('more than 32 KiB');
});
