import {
  CancellationScope,
  isCancellation,
  log,
  proxyActivities,
  setCurrentDetails,
  setDefaultSignalHandler,
  type ApplicationFailure,
  type CancelledFailure,
} from '@temporalio/workflow';
import { isRevocationFailureType } from '../contract/failure-types';
import type { Revocation, Revoked, SealedToken } from '../contract/schemas';
import type { Activities } from '../shared/activities';
import { readAttemptFailure, type AttemptFailure } from '../shared/attempt-failure';
import { cancellationFailure, createFailure, tokenLost } from './endings';
import { countRevoked } from './run-metrics';
import type { RunStatus } from './run-status';
import { settle } from './settle';

/** Without a limit: an outage or a bad rollout must not leave the key of each cancelled run. */
const { revokeLinkToken: revoke } = proxyActivities<Activities>({
  startToCloseTimeout: '5m',
  heartbeatTimeout: '30s',
  retry: { initialInterval: '1s', backoffCoefficient: 2, maximumInterval: '1m' },
  summary: 'delete the API key of a token',
});

/**
 * Deletes the API key of a token, which ends it, once its migrations are over. A receipt is enough:
 * migrations outlast Temporal's retention. It goes on until the key is gone, a refusal, or a
 * cancel.
 *
 * @throws ApplicationFailure whose `type` is a RevocationFailureType: the key may exist, and a
 *   repetition is safe.
 */
export async function revokeLinkToken(token: Revocation): Promise<Revoked> {
  setDefaultSignalHandler(() => undefined);
  try {
    const revoked = await revoke(token);
    reportRevoked(revoked);
    setCurrentDetails(`API key \`${revoked.publicApiKey}\`: **${revoked.outcome}**`);
    return revoked;
  } catch (error) {
    if (isCancellation(error)) throw error;
    const { type, message, details } = readAttemptFailure(error);
    log.error('link-token not revoked', { type, reason: message });
    const failureType = isRevocationFailureType(type) ? type : 'AtlasUnavailable';
    throw createFailure(failureType, message, { unconfirmedTokens: 0, ...details });
  }
}

/**
 * Revokes the token that a cancelled run did not deliver, so that a copy in any sink is worthless.
 *
 * @returns the ending of the run.
 */
export async function revokeUndelivered(
  token: SealedToken,
  sinksTried: readonly string[],
  status: RunStatus,
): Promise<CancelledFailure | ApplicationFailure> {
  const { orgId, publicApiKey, createdAt, deliveryId } = token;
  // Nobody can find a key by a token of an unknown form.
  if (!publicApiKey) return cancellationFailure(status.current, { token, sinksTried });
  status.showRevoking(publicApiKey);
  const problem = await revokeOwn({ orgId, publicApiKey, createdAt }, { deliveryId, sinksTried });
  if (problem !== null) {
    return cancellationFailure(status.current, { token, sinksTried, problem });
  }
  status.forgetToken();
  return cancellationFailure(status.current, { token, sinksTried, revoked: true });
}

/**
 * Revokes a token that the worker received and lost. It counts as unconfirmed only if its API key
 * cannot be deleted.
 *
 * @returns the ending of the run.
 */
export async function revokeLost(
  orgId: string,
  publicApiKey: string,
  failure: AttemptFailure,
  status: RunStatus,
): Promise<ApplicationFailure> {
  status.showRevoking(publicApiKey);
  // Atlas created the token just now.
  const createdAt = new Date().toISOString();
  const problem = await revokeOwn({ orgId, publicApiKey, createdAt }, {});
  if (problem !== null) status.countUnconfirmed(failure.message);
  return tokenLost(failure, publicApiKey, problem, status.current);
}

/**
 * Deletes the API key of a run's own token, also once the run is cancelled.
 *
 * @returns why it could not be deleted; null if it is gone.
 */
async function revokeOwn(token: Revocation, logged: object): Promise<string | null> {
  const revocation = CancellationScope.nonCancellable(() => revoke(token));
  const outcome = await settle(revocation, 'outcome');
  if ('failure' in outcome) return outcome.failure.message;
  reportRevoked(outcome.result, logged);
  return null;
}

function reportRevoked(revoked: Revoked, logged: object = {}): void {
  log.info('link-token revoked', { ...revoked, ...logged });
  countRevoked(revoked);
}
