import { randomUUID } from 'node:crypto';
import { forEachClaim } from '../../../src/contract/claims';
import type { SealedToken } from '../../../src/contract/schemas';
import { newOrgId } from '../../support/ids';
import { createdToken, endingOf, untilStep } from '../../support/runs';
import { sharedTemporal, temporalCli } from '../../support/temporal';
import { system } from './shared-system';

/**
 * A run that was cancelled while its token waited for its sink, so that history holds the sealed
 * token.
 */
async function leaveToken() {
  const { installation } = system();
  const request = installation.newRequest({ sink: 'rejects' });
  const handle = await installation.start(request);
  await untilStep(handle, 'undelivered');
  await handle.cancel();
  expect(await endingOf(handle)).toMatchObject({ type: 'Cancelled' });
  const { jwe, ...facts } = (await createdToken(handle)) as SealedToken;
  return { request: { ...request, sink: 'files' }, jwe, facts };
}

/** `test/unit/activities` tests everything else that activities refuse. */
it('a standalone activity does nothing for a valid request', async () => {
  const { atlas, installation } = system();
  const { jwe, facts, ...otherFields } = await leaveToken();
  const tokens = installation.tokens();
  const { deliveryId: _, tokenSha256: _s, createdAt: _c, unconfirmedTokens, ...valid } = facts;
  const request = { ...valid, sink: 'files' };
  const input = { request, unconfirmedTokens, activityNumber: 1 };
  const { address } = await sharedTemporal();
  for (const [activity, problem, ...args] of [
    ['createLinkToken', 'the request is not valid', input],
    ['deliverLinkToken', 'sealed for workflow id', { jwe }, 'files'],
  ] as const) {
    const { code, stdout, stderr } = await temporalCli(
      address,
      'activity',
      'execute',
      '--activity-id',
      `${installation.taskQueue}-${activity}`,
      '--type',
      activity,
      '--task-queue',
      installation.taskQueue,
      '--start-to-close-timeout',
      '30s',
      '--retry-maximum-attempts',
      '1',
      ...args.flatMap((arg) => ['--input', JSON.stringify(arg)]),
    );
    expect(code).toBe(1);
    expect(stdout + stderr).toContain(problem);
  }
  expect(atlas.created(otherFields.request)).toBe(1);
  expect(installation.tokens()).toEqual(tokens);
});

const OTHER_FACTS: Omit<SealedToken, 'jwe'> = {
  orgId: newOrgId(),
  sourceOrgId: newOrgId(),
  accessListIps: ['0.0.0.0/0'],
  credential: 'other',
  warnings: ['forged'],
  ...forEachClaim((claim) => `another ${claim}`),
  deliveryId: randomUUID(),
  tokenSha256: 'a'.repeat(64),
  createdAt: '9999-12-31T23:59:59Z',
  unconfirmedTokens: 7,
};

it("a recovery delivers only its own run's token, with the facts inside the seal", async () => {
  const { atlas, installation } = system();
  const [{ request, jwe, facts }, other] = [await leaveToken(), await leaveToken()];
  const recover = (ofJwe: string) =>
    installation.start(request, { sealedToken: { ...OTHER_FACTS, jwe: ofJwe }, sinksTried: [] });
  const tokens = installation.tokens();
  const forged = await recover(other.jwe);
  const { description } = await untilStep(forged, 'undelivered');
  expect(description).toMatch(/^SealedTokenUnreadable: /);
  await forged.cancel();
  expect(await endingOf(forged)).toMatchObject({ type: 'Cancelled' });

  const receipt = {
    ...facts,
    sink: 'files',
    location: expect.any(String),
    deliveredAt: expect.any(String),
  };
  expect(await (await recover(jwe)).result()).toEqual({ ...receipt, alsoTried: [] });
  const linkToken = atlas.linkTokenOf(request);
  expect(installation.tokens().filter((token) => !tokens.includes(token))).toEqual([linkToken]);
});
