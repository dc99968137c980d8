import type { SealedToken } from '../../../src/contract/schemas';
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
  expect(await endingOf(handle)).toMatchObject({ type: 'CANCELLED' });
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
