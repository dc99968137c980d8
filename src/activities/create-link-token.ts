import { Context } from '@temporalio/activity';
import { CancelledFailure } from '@temporalio/common';
import { raceSignal, withTimeout } from '../abort';
import { classifyAtlasError, notSent, tokenLost, type AtlasOutcome } from '../atlas/outcomes';
import type { Services } from '../config/services';
import { MAX_LINK_TOKEN_BYTES } from '../contract/limits';
import type { SealedToken } from '../contract/schemas';
import { validateAccessList } from '../requests/access-list';
import { createInputSchema, type Activities, type CreateRetries } from '../shared/activities';
import { formatGaveUp } from '../shared/application-failure';
import { creationFailure, invalidRequest } from './failures';
import { NOTHING_DONE, parseInput, requireRunOfPair } from './guards';
import { withHeartbeats } from './heartbeat';
import { createReceivedTokens } from './received-tokens';

const TOO_LATE = "the retry deadline passed, by the worker's clock, before the request was sent to Atlas";
const CHECK_WORKERS = 'check that workers run and that their clocks are right, then start again';
const DESCRIBE_TIMEOUT_MS = 5000;
const STOPPED = notSent('the attempt was stopped before it sent the request to Atlas; another attempt follows');
// Retryable: validation found a credential, so the configuration changed since, and other workers may have it.
const NO_CREDENTIAL = notSent(
  "the worker's configuration has no credential for this organization any more: " +
    'name one under atlas.organizations, and restart the workers',
);
const NOT_SEALED = tokenLost(
  'Atlas created a token, but the worker could not seal it, so it is lost: delete its API key in Atlas, ' +
    'and check the sealing keys of the workers before you start again',
);
const TOKEN_TOO_LARGE = tokenLost(
  `Atlas returned a link-token of more than ${MAX_LINK_TOKEN_BYTES / 1024} KiB, which the worker refuses: ` +
    'delete its API key in Atlas, and report this as an issue of live-migration-prep',
);

/**
 * Makes the activity that creates one link-token and returns it sealed: at most one POST per attempt.
 *
 * A retry is safe only after an attempt that created nothing: Atlas has no idempotency key. So an attempt after which a
 * token may exist ends the activity, and the workflow counts it. Neither cancellation nor shutdown abandons a POST that
 * was written: its response may hold a token.
 */
export function createLinkTokenActivity(
  { atlas, sealer, organizations }: Pick<Services, 'atlas' | 'sealer' | 'organizations'>,
  retries: CreateRetries,
): Activities['createLinkToken'] {
  const received = createReceivedTokens();

  return async function createLinkToken(input) {
    const context = Context.current();
    const { info, cancellationSignal } = context;
    const { request, unconfirmedTokens, activityNumber, deadlineAtMs } = parseInput(createInputSchema, input);
    const { problems, entries: accessListIps } = validateAccessList(request.accessListIps);
    if (problems.length > 0) throw invalidRequest(problems, NOTHING_DONE);
    const { sink: _, ...facts } = { ...request, accessListIps };
    const { workflowId, runId } = requireRunOfPair(info, facts.orgId, facts.sourceOrgId);
    const failures = activityNumber - 1 + info.attempt;
    const fail = (outcome: AtlasOutcome): never => {
      throw creationFailure(outcome, { failures, deadlineAtMs, backoff: retries });
    };

    const found = await withHeartbeats(() => received.find(runId, unconfirmedTokens));
    if (found) {
      context.log.info('link-token of a lost attempt found', getLogAttributes(found));
      return found;
    }

    const credential = organizations.credentialFor(facts.orgId);
    if (Date.now() >= deadlineAtMs) {
      const lastError = await withHeartbeats(() => findLastError(context)).catch(() => null);
      const message = lastError ? formatGaveUp(lastError, TOO_LATE) : `gave up: ${TOO_LATE}; ${CHECK_WORKERS}`;
      return fail(notSent(message, { retryable: false }));
    }
    if (credential === null) return fail(NO_CREDENTIAL);

    const create = async (): Promise<SealedToken> => {
      const linkToken = await withHeartbeats(() =>
        atlas.createLinkToken(facts.orgId, facts.accessListIps, credential, cancellationSignal),
      ).catch((error: unknown) => {
        if (!(error instanceof CancelledFailure)) return fail(classifyAtlasError(error, 'linkTokens'));
        // Nothing was sent. After a shutdown, another worker retries the attempt.
        if (context.cancellationDetails?.cancelRequested) throw error;
        return fail(STOPPED);
      });
      // From here on a token exists, and a retry would create another.
      if (Buffer.byteLength(JSON.stringify(linkToken)) > MAX_LINK_TOKEN_BYTES) return fail(TOKEN_TOO_LARGE);
      return sealer
        .seal(linkToken, { ...facts, credential, unconfirmedTokens }, workflowId)
        .catch(() => fail(NOT_SEALED));
    };
    const sealed = await received.keep(runId, unconfirmedTokens, create());
    // Temporal may be away for longer than the SDK tries to report this result.
    context.log.info('link-token received', getLogAttributes(sealed));
    return sealed;
  };
}

/** Finds why the attempt before failed, which Temporal passes to no attempt. */
async function findLastError({ client, info }: Context): Promise<string | null | undefined> {
  const { workflowId = '', runId } = info.workflowExecution ?? {};
  const describe = () => client.workflow.getHandle(workflowId, runId).describe();
  const { raw } = await withTimeout(DESCRIBE_TIMEOUT_MS, undefined, (signal) => raceSignal(describe, signal));
  return raw.pendingActivities?.find(({ activityId }) => activityId === info.activityId)?.lastFailure?.message;
}

function getLogAttributes({ deliveryId, tokenSha256, createdAt }: SealedToken): object {
  return { deliveryId, tokenSha256, createdAt };
}
