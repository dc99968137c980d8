import { readFileSync } from 'node:fs';
import {
  MAX_ACCESS_LIST_ENTRIES,
  MAX_LINK_TOKEN_BYTES,
  MAX_WARNINGS,
  MAX_WARNING_LENGTH,
} from '../../../src/contract/limits';
import { MAX_TEXT_LENGTH, workflowIdFor } from '../../../src/contract/names';
import { createSealer } from '../../../src/sealing';
import { endingOf } from '../../support/ending';
import { startInstallation, type Installation } from '../../support/installation';

let installation: Installation;
beforeAll(async () => void (installation = await startInstallation()));

it('a token of the largest size, of the largest request, is recovered', async () => {
  const { deployment } = installation;
  const entries = Array.from(
    { length: MAX_ACCESS_LIST_ENTRIES },
    (_, index) => `2a00:ffff:ffff:ffff:ffff:ffff:ffff:${(0x1000 + index).toString(16)}/128`,
  );
  const text = '\u0001'.repeat(MAX_TEXT_LENGTH);
  const request = deployment.newRequest({ accessListIps: [], requestedBy: text, changeReference: text });
  const facts = {
    orgId: request.orgId,
    sourceOrgId: request.sourceOrgId ?? null,
    accessListIps: entries,
    credential: 'c'.repeat(MAX_TEXT_LENGTH),
    warnings: Array.from({ length: MAX_WARNINGS }, () => 'w'.repeat(MAX_WARNING_LENGTH)),
    requestedBy: text,
    changeReference: text,
    unconfirmedTokens: 1_000_000,
  };
  const sealer = createSealer(() => readFileSync(deployment.keysFile, 'utf8'));
  const workflowId = workflowIdFor(request.orgId, request.sourceOrgId);
  const linkToken = 't'.repeat(MAX_LINK_TOKEN_BYTES - 2);
  const sealedToken = await sealer.seal(linkToken, facts, workflowId);

  const { type, receipt } = await endingOf(await deployment.start(request, { sealedToken, sinksTried: [] }));
  expect({ type, deliveryId: receipt?.deliveryId }).toEqual({
    type: 'delivered',
    deliveryId: sealedToken.deliveryId,
  });
  expect(deployment.tokens()).toEqual([linkToken]);
});

it('a token that is larger is counted, and the run ends as TokenLost', async () => {
  const { atlas, deployment } = installation;
  atlas.faults({
    on: 'linkTokens',
    status: 201,
    body: { linkToken: 't'.repeat(MAX_LINK_TOKEN_BYTES) },
  });
  expect(await endingOf(await deployment.start())).toMatchObject({
    type: 'TokenLost',
    unconfirmedTokens: 1,
    message: expect.stringContaining('more than 32 KiB'),
  });
});
