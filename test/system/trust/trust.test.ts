import { randomUUID } from 'node:crypto';
import type { SealedToken } from '../../../src/contract/schemas';
import { startForeignRun, type Call } from '../../support/foreign-run';
import { newOrgId } from '../../support/ids';
import { startInstallation, type Installation } from '../../support/installation';
import { createdToken, endingOf, redeliver, untilStep } from '../../support/runs';
import { sharedTemporal, temporalCli } from '../../support/temporal';

let installation: Installation;
beforeAll(async () => void (installation = await startInstallation()));

/** A run that was cancelled while its token waited for its sink, so that history holds the sealed token. */
async function leaveToken() {
  const { deployment } = installation;
  const request = deployment.newRequest({ sink: 'rejects' });
  const handle = await deployment.start(request);
  await untilStep(handle, 'undelivered');
  await handle.cancel();
  expect(await endingOf(handle)).toMatchObject({ type: 'Cancelled' });
  const { jwe, ...facts } = (await createdToken(handle)) as SealedToken;
  return { workflowId: handle.workflowId, request: { ...request, sink: 'files' }, jwe, facts };
}

/** Calls activities of the product, as anyone who may start work in the namespace can. */
async function call(workflowType: string, workflowId: string, ...calls: Call[]) {
  const { client } = await sharedTemporal();
  const foreign = await startForeignRun(client, workflowId, workflowType);
  return foreign.call(installation.deployment.taskQueue, calls);
}

/** `test/unit/activities` has what the activities refuse, once they know who calls. */
describe('the activities do nothing for a valid request when they are called', () => {
  let workflowId: string;
  let calls: Call[];
  beforeAll(async () => {
    const left = await leaveToken();
    ({ workflowId } = left);
    const { deliveryId: _, tokenSha256: _s, createdAt: _c, unconfirmedTokens, ...valid } = left.facts;
    const request = { ...valid, sink: 'files' };
    const input = { request, unconfirmedTokens, activityNumber: 1, deadlineAtMs: Date.now() + 3_600_000 };
    calls = [
      { activity: 'createLinkToken', args: [input] },
      { activity: 'deliverLinkToken', args: [{ jwe: left.jwe }, 'files'] },
    ];
  });
  afterEach(() => {
    expect(installation.atlas.createdTokens()).toHaveLength(1);
    expect(installation.deployment.tokenFiles()).toEqual([]);
  });

  it('as standalone activities', async () => {
    const { address } = await sharedTemporal();
    const { taskQueue } = installation.deployment;
    for (const { activity, args } of calls) {
      const { code, stdout, stderr } = await temporalCli(
        address,
        ...['activity', 'execute', '--activity-id', `${taskQueue}-${activity}`, '--type', activity],
        ...['--task-queue', taskQueue, '--start-to-close-timeout', '30s', '--retry-maximum-attempts', '1'],
        ...args.flatMap((arg) => ['--input', JSON.stringify(arg)]),
      );
      expect(code).toBe(1);
      expect(stdout + stderr).toMatch(/the request is not valid|sealed for another workflow id/);
    }
  });

  it.each([
    ['of another type, under the workflow id of the token', 'foreign', () => workflowId],
    ['that takes our name, under another workflow id', 'prepareLiveMigration', newOrgId],
  ])('from a workflow %s', async (_who, workflowType, idOf) => {
    const outcomes = await call(workflowType, idOf(), ...calls);
    for (const { type } of outcomes) expect(type).toMatch(/^(InvalidRequest|SealedTokenUnreadable)$/);
    expect(outcomes).toHaveLength(calls.length);
  });
});

const OTHER_FACTS: Omit<SealedToken, 'jwe'> = {
  orgId: newOrgId(),
  sourceOrgId: newOrgId(),
  accessListIps: ['0.0.0.0/0'],
  credential: 'other',
  warnings: ['forged'],
  requestedBy: 'somebody else',
  changeReference: 'another change',
  deliveryId: randomUUID(),
  tokenSha256: 'a'.repeat(64),
  createdAt: '9999-12-31T23:59:59Z',
  unconfirmedTokens: 7,
};

it('the token of another run is unreadable, and does not block the recovery of the genuine one', async () => {
  const { deployment } = installation;
  const [{ request, jwe, facts }, other] = [await leaveToken(), await leaveToken()];
  const recover = (ofJwe: string) =>
    deployment.start(request, { sealedToken: { ...facts, jwe: ofJwe }, sinksTried: [] });
  const files = deployment.tokenFiles();
  const forged = await recover(other.jwe);
  await untilStep(forged, 'undelivered');
  expect(await redeliver(forged)).toMatchObject({ type: 'SealedTokenUnreadable' });
  await forged.cancel();
  expect(await endingOf(forged)).toMatchObject({ type: 'Cancelled' });
  expect(deployment.tokenFiles()).toEqual(files);
  const { deliveryId } = facts;
  expect(await endingOf(await recover(jwe))).toMatchObject({ receipt: { deliveryId, sink: 'files' } });
});

it('no field outside the seal has an effect on what is delivered, nor on the receipt', async () => {
  const { atlas, deployment } = installation;
  const before = deployment.tokens();
  const { request, workflowId, jwe, facts } = await leaveToken();
  const forged = { jwe, ...OTHER_FACTS };
  const receipt = { ...facts, sink: 'files', location: expect.any(String), deliveredAt: expect.any(String) };
  const handle = await deployment.start(request, { sealedToken: forged, sinksTried: [] });
  expect(await handle.result()).toEqual({ ...receipt, alsoTried: [] });

  const deliver = { activity: 'deliverLinkToken', args: [forged, 'files'] };
  expect(await call('prepareLiveMigration', workflowId, deliver)).toEqual([{ result: receipt }]);
  const { linkToken } = atlas.createdTokens().at(-1) ?? {};
  expect(deployment.tokens().filter((token) => !before.includes(token))).toEqual([linkToken]);
});
