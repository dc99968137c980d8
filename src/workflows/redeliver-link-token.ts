import type { Receipt, RedeliverRequest } from '../contract/names';
import { delivery, validation } from './activities';
import { runStep } from './step';
import { logLine, tellStory } from './story';

/** Hands a token that an earlier run of this workflow id sealed to a sink. Creates nothing anew. */
export async function redeliverLinkToken({ sealedToken, sink }: RedeliverRequest): Promise<Receipt> {
  const tell = tellStory();
  const { deliver } = await runStep({ tell, unavailable: 'SinkUnavailable', unconfirmedTokens: 0 }, () =>
    validation('check the redelivery').validateRedelivery({ sealedToken, sink }),
  );
  const { orgId, deliveryId, unconfirmedTokens } = sealedToken;

  tell({ step: 'delivering', description: `handing token ${deliveryId} to sink ${sink}`, unconfirmedTokens });
  const delivering = {
    tell,
    unavailable: 'SinkUnavailable',
    unconfirmedTokens,
    keptToken: deliveryId,
  } as const;
  const receipt = await runStep(delivering, () =>
    delivery(deliver, sealedToken, sink).deliverLinkToken(sealedToken, sink),
  );
  logLine.delivered({ orgId, deliveryId, sink, location: receipt.location });
  tell({ step: 'delivered', description: `the token is in ${receipt.location}`, unconfirmedTokens });
  return receipt;
}
