import {
  ApplicationFailure,
  CancellationScope,
  CancelledFailure,
  TemporalFailure,
  log,
  workflowInfo,
} from '@temporalio/workflow';
import type { RunOptions } from '../contract/activities';
import type { FailureType } from '../contract/names';
import type { PrepareRequest, Receipt, Recovery, SealedToken } from '../contract/schemas';
import { cancelled } from './cancelled';
import { createToken } from './create';
import { deliver } from './deliver';
import { causeOf, failureOf, isRunFailureType, messageAndDetails, unwritableRequest } from './failures';
import { countDelivery, countRun } from './metrics';
import { createProgress } from './progress';
import { search, validation } from './proxies';
import { createRounds } from './rounds';
import { createRedeliveryControl } from './redelivery-control';
import { handleUpdates } from './updates';

const HARMLESS_TIMEOUT_MS = 365 * 24 * 3_600_000;

/**
 * Validates the request, creates a link-token and delivers it to the sink. The run stays open until the token is
 * delivered, or until someone cancels it.
 *
 * @param recovery the token of a closed run: it is delivered, and nothing is created.
 * @returns the receipt.
 * @throws ApplicationFailure whose `type` is a FailureType; CancelledFailure when cancelled before anything was created.
 */
export async function prepareLiveMigration(request: PrepareRequest, recovery?: Recovery): Promise<Receipt> {
  const progress = createProgress();
  const rounds = createRounds();
  const control = createRedeliveryControl();
  handleUpdates(request, progress, rounds, control);

  /** The token, once it exists. */
  let token: SealedToken | null = null;
  try {
    // Beside each other, in one workflow task. A recovery creates nothing, so no earlier token forbids it.
    const [validated, searched] = await Promise.allSettled([
      validation().validateRequest(request, recovery ?? null, runOptions()),
      recovery ? undefined : search().findToken(request, Date.now()),
    ]);
    if (CancellationScope.current().consideredCancelled) {
      // A recovery brings its token along, which stays recoverable.
      const [recoverable, sinksTried] = unvalidated(recovery);
      token = recoverable;
      throw cancelled(progress, token, sinksTried);
    }
    // A worker that cannot validate is reported as `AtlasUnavailable`: a later start may succeed.
    if (validated.status === 'rejected') throw failureOfCheck(validated.reason, 'AtlasUnavailable');
    if (searched.status === 'rejected') throw failureOfCheck(searched.reason, 'TemporalUnavailable');
    const valid = validated.value;
    progress.show(valid.request, Date.now() + valid.create.giveUpAfterMs);
    token = recovery?.sealedToken ?? (await createToken(progress, valid));
    progress.setToken(token);
    const receipt = await deliver({
      progress,
      rounds,
      control,
      plan: valid.deliver,
      token,
      sink: valid.request.sink,
      sinksTried: recovery?.sinksTried ?? [],
    });
    const { orgId, deliveryId, sink, location } = receipt;
    log.info('link-token delivered', { orgId, deliveryId, sink, location });
    progress.report('delivered', `the token is in ${location}`);
    progress.endUndelivered(null);
    countDelivery(receipt);
    countRun('delivered');
    await rounds.close({ receipt });
    return receipt;
  } catch (error) {
    if (error instanceof CancelledFailure) {
      progress.report('cancelled', error.message);
      countRun('cancelledWithoutToken');
      await rounds.close({ failure: failureOf('Cancelled', error.message, { unconfirmedTokens: 0 }) });
    } else if (error instanceof ApplicationFailure) {
      log[isForCaller(error) ? 'warn' : 'error']('link-token job failed', {
        type: error.type,
        reason: error.message,
        ...messageAndDetails(error).details,
      });
      progress.report(
        error.type === 'Cancelled' ? 'cancelled' : 'failed',
        `${String(error.type)}: ${error.message}`,
      );
      progress.endUndelivered(token);
      countRun(String(error.type));
      await rounds.close({ failure: error });
    }
    throw error;
  }
}

/** What a recovery names, before its shape was checked: workflow code must not throw on it. */
function unvalidated(recovery: unknown): [token: SealedToken | null, sinksTried: string[]] {
  const { sealedToken, sinksTried } = (recovery ?? {}) as Partial<Record<keyof Recovery, unknown>>;
  return [
    typeof sealedToken === 'object' ? (sealedToken as SealedToken | null) : null,
    Array.isArray(sinksTried) ? sinksTried.filter((sink) => typeof sink === 'string') : [],
  ];
}

/** What the caller chose for the run, where that could create a second token or abandon one. */
function runOptions(): RunOptions {
  const { workflowId, executionTimeoutMs, runTimeoutMs, retryPolicy, cronSchedule } = workflowInfo();
  const refused = {
    workflowExecutionTimeout: isShort(executionTimeoutMs),
    // The server sets it to the execution timeout where the caller set none.
    workflowRunTimeout: isShort(runTimeoutMs) && runTimeoutMs !== executionTimeoutMs,
    retryPolicy,
    cronSchedule,
  };
  return {
    workflowId,
    refusedOptions: Object.entries(refused).flatMap(([name, value]) => (value ? [name] : [])),
  };
}

/** A server may give every run a timeout of its own: ten years on the time-skipping test server. 0 is none. */
function isShort(timeoutMs: number | undefined): boolean {
  return Boolean(timeoutMs) && Number(timeoutMs) < HARMLESS_TIMEOUT_MS;
}

/** Whether only the caller can act on a failure: a mistake in the request, or a token that exists already. */
function isForCaller({ type }: ApplicationFailure): boolean {
  return type === 'InvalidRequest' || type === 'TokenExists';
}

/** @param otherwise the type where the check failed with none of a run's. */
function failureOfCheck(error: unknown, otherwise: FailureType): ApplicationFailure {
  const cause = causeOf(error);
  if (!(cause instanceof TemporalFailure)) return unwritableRequest();
  const { message, details } = messageAndDetails(cause);
  const type = cause instanceof ApplicationFailure && isRunFailureType(cause.type) ? cause.type : otherwise;
  return failureOf(type, message, { unconfirmedTokens: 0, ...details });
}
