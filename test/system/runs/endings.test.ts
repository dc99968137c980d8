import { readFileSync, statSync } from 'node:fs';
import type { Fault } from '../../../dev/atlas-emulator';
import {
  MAX_ACCESS_LIST_ENTRIES,
  MAX_LINK_TOKEN_BYTES,
  MAX_WARNINGS,
  MAX_WARNING_LENGTH,
} from '../../../src/contract/limits';
import { MAX_TEXT_LENGTH, workflowIdFor } from '../../../src/contract/names';
import type { SealedToken } from '../../../src/contract/schemas';
import { createSealer } from '../../../src/secrets/sealing';
import type { CredentialType } from '../../support/atlas';
import { eventually } from '../../support/eventually';
import { createOwnOrganizations, type OwnOrganizations } from '../../support/organizations';
import { createdToken, endingOf, untilStep, type Ending } from '../../support/runs';
import { sharedTemporal, temporalCli } from '../../support/temporal';
import { startWebhookReceiver, type WebhookReceiver } from '../../support/webhook-receiver';

const on = 'linkTokens';
const NEVER_MS = 600_000;

let receiver: WebhookReceiver;
let own: OwnOrganizations;
beforeAll(async () => {
  receiver = await startWebhookReceiver();
  const config = { sinks: { hangs: receiver.sink('hangs') }, atlas: { requestTimeoutMs: 10_000 } };
  own = await createOwnOrganizations(config, receiver.env);
  await own.deployment.startWorker();
});

type Expected = [type: Ending['type'], posts: number, unconfirmedTokens: number, tokens: number];

/** `test/unit/atlas/outcomes.test.ts` has the statuses, `test/workflow` what follows. */
it.concurrent.each<[what: string, CredentialType, Fault[], Expected]>([
  ['a token', 'apiKey', [], ['delivered', 1, 0, 1]],
  [
    'no access token at first',
    'serviceAccount',
    [
      { on: 'oauth', status: 503, html: true },
      { on: 'oauth', errorCode: 'access_denied', status: 403 },
    ],
    ['delivered', 1, 0, 1],
  ],
  [
    '429, 500, a reset within a token and 503 with a page, and then a token',
    'serviceAccount',
    [
      { on, status: 429 },
      { on, status: 500 },
      { on, reset: 'mid-body' },
      { on, status: 503, html: true },
    ],
    ['delivered', 5, 3, 2],
  ],
  [
    'no response in time although a token was created, and then 400',
    'serviceAccount',
    [
      { on, delayMs: NEVER_MS, afterCreating: true },
      { on, status: 400 },
    ],
    ['AtlasRequestRejected', 2, 1, 1],
  ],
  [
    'a token of more than 32 KiB',
    'serviceAccount',
    [{ on, status: 201, body: { linkToken: 't'.repeat(MAX_LINK_TOKEN_BYTES) } }],
    ['TokenLost', 1, 1, 0],
  ],
])('%s by %s', async (_what, credential, faults, expected) => {
  const request = own.newRequest({}, credential);
  own.setFaults(request, ...faults);
  const { type, unconfirmedTokens } = await endingOf(await own.deployment.start(request));
  const [posts, tokens] = [own.postTimes(request).length, own.created(request)];
  expect([type, posts, unconfirmedTokens, tokens]).toEqual(expected);
});

it.concurrent('a clean run: the token in a file of mode 0600, ten events beside tasks, no memo', async () => {
  const request = own.newRequest();
  const handle = await own.deployment.start(request);
  const { receipt } = await endingOf(handle);
  expect(receipt).toMatchObject({ ...request, unconfirmedTokens: 0, alsoTried: [] });
  const file = /^file (.*) on the worker's host$/.exec(receipt?.location ?? '')?.[1] ?? '';
  expect(statSync(file).mode & 0o777).toBe(0o600);
  const tokens = own.atlas.createdTokens().filter(({ orgId }) => orgId === request.orgId);
  expect(tokens.map(({ linkToken }) => linkToken)).toEqual([readFileSync(file, 'utf8')]);
  const { events } = await handle.fetchHistory();
  // A run has 19 events with three workflow tasks; a busy machine adds tasks.
  const task = /^workflowTask(Scheduled|Started|Completed|TimedOut)/;
  const keys = (events ?? []).flatMap(Object.keys);
  expect(keys.filter((key) => key.endsWith('Attributes') && !task.test(key))).toHaveLength(10);
  expect((await handle.describe()).memo).toEqual({});
});

it.concurrent('a redelivery by the Temporal command line delivers an undelivered token', async () => {
  const { handle } = await own.start(own.newRequest({ sink: 'rejects' }));
  await untilStep(handle, 'undelivered');
  const { address } = await sharedTemporal();
  const target = ['--workflow-id', handle.workflowId, '--name', 'redeliver'];
  const update = (...input: string[]) =>
    temporalCli(address, 'workflow', 'update', 'execute', ...target, ...input);
  expect((await update()).stderr).toContain('is not a directory: correct its path');
  const delivered = { code: 0, stdout: expect.stringContaining('alsoTried') };
  expect(await update('--input', '{"sink": "files"}')).toMatchObject(delivered);
  expect(await endingOf(handle)).toMatchObject({ receipt: { sink: 'files' } });
});

it.concurrent('a cancel while delivering: the attempt stops; a new run recovers the token', async () => {
  const { request, handle } = await own.start(own.newRequest({ sink: 'hangs' }));
  await eventually('an attempt', () => receiver.hanging(request) === 1);
  await handle.cancel();
  const { type, details } = await endingOf(handle);
  expect({ type, sinksTried: details?.sinksTried }).toEqual({ type: 'Cancelled', sinksTried: ['hangs'] });
  await eventually('the end of the request', () => receiver.hanging(request) === 0);

  const sealedToken = (await createdToken(handle)) as SealedToken;
  const { deliveryId } = sealedToken;
  const recovery = { sealedToken, sinksTried: ['hangs'] };
  const recovered = await own.deployment.start({ ...request, sink: 'files' }, recovery);
  const receipt = { sink: 'files', deliveryId, alsoTried: ['hangs'] };
  expect(await endingOf(recovered)).toMatchObject({ receipt });
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
    warnings: Array<string>(MAX_WARNINGS).fill('w'.repeat(MAX_WARNING_LENGTH)),
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
