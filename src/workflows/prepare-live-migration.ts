import type { PrepareRequest, Receipt } from '../contract/names';
import { creation, validation } from './activities';
import { deliver } from './deliver';
import { runStep } from './step';
import { logLine, tellStory } from './story';

/**
 * Validates the request, creates a link-token and hands it to the sink. Ends with the receipt, or with one
 * ApplicationFailure whose `type` is a FailureType and whose details count the unconfirmed tokens.
 */
export async function prepareLiveMigration(request: PrepareRequest): Promise<Receipt> {
  const tell = tellStory();

  const valid = await runStep({ tell, unavailable: 'AtlasUnavailable', unconfirmedTokens: 0 }, () =>
    validation('check the request').validateRequest(request),
  );
  const { orgId, sink, credential, accessListIps } = valid.request;

  tell({
    step: 'creating',
    description: `asking Atlas for a link-token for organization ${orgId} as ${credential}, ${accessListIps.length} access list entries`,
    unconfirmedTokens: null,
  });
  const sealedToken = await runStep({ tell, unavailable: 'AtlasUnavailable', unconfirmedTokens: null }, () =>
    creation(valid.create, `create a link-token in ${orgId}`).createLinkToken(valid.request),
  );
  const { deliveryId, tokenSha256, unconfirmedTokens } = sealedToken;
  logLine.created({ orgId, deliveryId, tokenSha256, unconfirmedTokens });

  return deliver(tell, valid.deliver, sealedToken, sink);
}
