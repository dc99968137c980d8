import type { Receipt, RedeliverRequest } from '../contract/names';
import { validation } from './activities';
import { deliver } from './deliver';
import { runStep } from './step';
import { tellStory } from './story';

/** Hands a token that an earlier run of this workflow id sealed to a sink. Creates nothing anew. */
export async function redeliverLinkToken(request: RedeliverRequest): Promise<Receipt> {
  const tell = tellStory();
  const valid = await runStep({ tell, unavailable: 'SinkUnavailable', unconfirmedTokens: 0 }, () =>
    validation('check the redelivery').validateRedelivery(request),
  );
  return deliver(tell, valid.deliver, request.sealedToken, request.sink);
}
