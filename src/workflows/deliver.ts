import type { ActivityPlan, Receipt, SealedToken, Status } from '../contract/names';
import { delivery } from './activities';
import { runStep } from './step';
import { logLine } from './story';

/** The last step of either workflow: hands a token that exists to a sink, and tells where it is. */
export async function deliver(
  tell: (status: Status) => void,
  plan: ActivityPlan,
  sealedToken: SealedToken,
  sink: string,
): Promise<Receipt> {
  const { orgId, deliveryId, unconfirmedTokens } = sealedToken;
  tell({
    step: 'delivering',
    description: `the token exists, sealed in this run's history; handing it to sink ${sink}`,
    unconfirmedTokens,
  });
  const step = { tell, unavailable: 'SinkUnavailable', unconfirmedTokens, keptToken: deliveryId } as const;
  const receipt = await runStep(step, () =>
    delivery(plan, sealedToken, sink).deliverLinkToken(sealedToken, sink),
  );
  logLine.delivered({ orgId, deliveryId, sink, location: receipt.location });
  tell({ step: 'delivered', description: `the token is in ${receipt.location}`, unconfirmedTokens });
  return receipt;
}
