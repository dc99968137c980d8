import { Context } from '@temporalio/activity';
import {
  classifyAtlasError,
  notSentFailure,
  tokenLostFailure,
  type AtlasFailure,
} from '../atlas/outcomes';
import type { Services } from '../config/services';
import { MAX_LINK_TOKEN_BYTES } from '../contract/limits';
import { validateAccessList } from '../requests/access-list';
import { findPublicApiKey } from '../secrets/link-token';
import { LinkTokenTooLargeError } from '../secrets/sealing';
import { createInputSchema, type Activities, type Backoff } from '../shared/activities';
import { invalidRequest } from '../shared/invalid-request';
import { writeCreationFailure } from './attempt-retries';
import { withHeartbeats } from './heartbeat';
import { REFUSED, parseInput } from './parse-input';
import { requireRunOfPair } from './require-run';
import { waitUntilTemporalAccepts } from './wait-until-temporal-accepts';

// Not permanent: validation found a credential, so the configuration changed since, and other
// workers may have it.
const NO_CREDENTIAL = notSentFailure(
  "the worker's configuration has no credential for this organization any more: " +
    'name one under atlas.organizations, and restart the workers',
);

/**
 * Creates the activity that creates one link-token and returns it sealed. An attempt sends one
 * POST, which it repeats only if Atlas refused its authentication.
 *
 * A retry is safe only after an attempt that created nothing: Atlas has no idempotency key. So an
 * attempt after which a token may exist ends the activity, and the workflow counts it. Nothing
 * stops an attempt that has begun, neither a cancel nor a shutdown: its response may hold a token.
 * An outage of Temporal abandons neither a token nor a failure: the attempt waits until Temporal
 * takes a heartbeat, at most until its own start-to-close timeout. Temporal counts the attempt as
 * lost once the heartbeat timeout is over.
 */
export function createLinkTokenActivity(
  { atlas, sealer, organizations }: Pick<Services, 'atlas' | 'sealer' | 'organizations'>,
  backoff: Backoff,
): Activities['createLinkToken'] {
  return async function createLinkToken(input) {
    const context = Context.current();
    const { info } = context;
    const attemptEndsAtMs = performance.now() + info.startToCloseTimeoutMs;
    const { request, unconfirmedTokens, activityNumber } = parseInput(createInputSchema, input);
    const { problems, entries: accessListIps } = validateAccessList(request.accessListIps);
    if (problems.length > 0) throw invalidRequest(problems, {}, REFUSED);
    const { orgId, sourceOrgId } = request;
    const { workflowId, runId } = requireRunOfPair(info, request);
    const failureCount = activityNumber - 1 + info.attempt;
    const fail = async (failure: AtlasFailure): Promise<never> => {
      // A failure that never reaches Temporal would count as a token that may exist.
      await waitUntilTemporalAccepts(context, attemptEndsAtMs);
      throw writeCreationFailure(failure, { info, failureCount, backoff });
    };

    const credential = organizations.credentialFor(orgId);
    if (credential === null) return fail(NO_CREDENTIAL);

    const linkToken = await withHeartbeats(() =>
      atlas.createLinkToken(orgId, accessListIps, credential),
    ).catch((error: unknown) => fail(classifyAtlasError(error, 'linkTokens')));
    // From here on a token exists, and a retry would create another.
    const facts = { ...request, accessListIps, credential, unconfirmedTokens };
    const sealed = await sealer
      .seal(linkToken, facts, workflowId)
      .catch((error: unknown) => fail(describeLoss(linkToken, error)));
    const { deliveryId, publicApiKey, tokenSha256, createdAt } = sealed;
    // Before the wait, in which this process may end: by the time of this line, an operator finds
    // the API key of the token.
    const ofRun = { orgId, sourceOrgId, runId };
    const ofToken = { deliveryId, publicApiKey, tokenSha256, createdAt };
    context.log.info('link-token received', { ...ofRun, ...ofToken });
    await waitUntilTemporalAccepts(context, attemptEndsAtMs);
    return sealed;
  };
}

/** @param error with which the token could not be sealed. */
function describeLoss(linkToken: string, error: unknown): AtlasFailure {
  const publicApiKey = findPublicApiKey(linkToken);
  const details = publicApiKey === null ? {} : { publicApiKey };
  const message =
    error instanceof LinkTokenTooLargeError
      ? `Atlas returned a link-token of more than ${MAX_LINK_TOKEN_BYTES / 1024} KiB,` +
        ' which the worker refuses: report this as an issue of live-migration-prep'
      : 'Atlas created a token, but the worker could not seal it, so it is lost:' +
        ' check the sealing keys of the workers before you start again';
  return tokenLostFailure(message, details);
}
