import { Context } from '@temporalio/activity';
import { CancelledFailure } from '@temporalio/common';
import type { Atlas } from '../atlas/client';
import type { CreateHeartbeat, SealedToken, ValidRequest } from '../contract/names';
import type { Sealer } from '../sealing';
import { judgeAtlasError } from './atlas-verdicts';
import { failureOf } from './failures';
import { acknowledgedHeartbeat, withHeartbeats } from './heartbeat';
import { unconfirmedBefore } from './unconfirmed-tokens';
import type { Verdict } from './verdict';

const CANNOT_SEAL: Verdict = {
  type: 'SealedTokenUnreadable',
  retryable: false,
  perhapsMinted: false,
  message:
    'the worker cannot seal a token with its first key, so Atlas was not asked for one: check its key set',
  details: {},
};

const NOT_ASKED: Verdict = {
  type: 'AtlasUnavailable',
  retryable: true,
  perhapsMinted: false,
  message: 'the worker stopped before it asked Atlas',
  details: {},
};

const NOT_RECORDED: Verdict = {
  ...NOT_ASKED,
  message: 'Temporal did not take down that Atlas is about to be asked, so Atlas was not asked',
};

const LOST: Verdict = {
  type: 'TokenLost',
  retryable: false,
  perhapsMinted: true,
  message: 'Atlas created a token and the worker could not seal it: remove it in Atlas, then start again',
  details: {},
};

/**
 * Creates one link-token and returns it sealed: one POST an attempt.
 *
 * A retry is safe only after an attempt that brought no token, and even then Atlas may have created one whose answer
 * was lost: the call is not idempotent and has no idempotency key. So every attempt counts what it may leave behind,
 * whatever fails after a token has arrived is terminal, and neither cancellation nor shutdown walks away from a POST
 * that was written.
 */
export function createLinkTokenActivity(atlas: Atlas, sealing: Sealer) {
  return async function createLinkToken(request: ValidRequest): Promise<SealedToken> {
    const context = Context.current();
    const { info, cancellationSignal } = context;
    const before = unconfirmedBefore(info.attempt, info.heartbeatDetails as CreateHeartbeat | undefined);
    let unconfirmedTokens = before + 1;
    const details = (): CreateHeartbeat => ({ attempt: info.attempt, unconfirmedTokens });

    return withHeartbeats(details, async (beat) => {
      const fail = (verdict: Verdict): never => {
        if (!verdict.perhapsMinted) {
          unconfirmedTokens = before;
          beat();
        }
        if (context.cancellationDetails?.cancelRequested) {
          throw new CancelledFailure(`cancelled; ${verdict.message}`, [{ unconfirmedTokens }]);
        }
        throw failureOf(verdict, unconfirmedTokens, info);
      };

      await sealing.probe().catch(() => fail(CANNOT_SEAL));
      await acknowledgedHeartbeat(details()).catch(() => fail(NOT_RECORDED));
      const linkToken = await atlas
        .createLinkToken(request.orgId, request.accessListIps, request.credential, cancellationSignal)
        .catch((error: unknown) =>
          fail(error instanceof CancelledFailure ? NOT_ASKED : judgeAtlasError(error)),
        );

      // From here on a token exists, and a retry would create another.
      const workflowId = info.workflowExecution?.workflowId ?? '';
      return sealing.seal(linkToken, request, before, workflowId).catch(() => fail(LOST));
    });
  };
}
