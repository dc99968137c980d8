import {
  ApplicationFailure,
  CancelledFailure,
  setDefaultSignalHandler,
} from '@temporalio/workflow';
import type { PrepareRequest, Receipt, Recovery } from '../contract/schemas';
import type { RunPlan } from '../shared/activities';
import { findToken, validateRequest } from './activity-proxies';
import { createToken } from './create-token';
import { deliverToken } from './deliver-token';
import { cancelledAtStart, isCancelled, startFailure } from './endings';
import { createRunStatus } from './run-status';
import { findRefusedOptions } from './start-options';
import { handleUpdates, untilCallersHaveEnding } from './updates';

/**
 * Validates the request, creates a link-token and delivers it to the sink. The run stays open until
 * the token is delivered, or until someone cancels it.
 *
 * @param recovery the token of a closed run: it is delivered, and nothing is created.
 * @throws ApplicationFailure whose `type` is a FailureType; CancelledFailure when cancelled before
 *   anything was created.
 */
export async function prepareLiveMigration(
  request: PrepareRequest,
  recovery?: Recovery,
): Promise<Receipt> {
  // Temporal would keep Signals, of up to 2 MB each, for a handler to come.
  setDefaultSignalHandler(() => undefined);
  const status = createRunStatus();
  const updates = handleUpdates(request, status);
  try {
    const plan = await validateStart(request, recovery);
    const deadlineAtMs = Date.now() + plan.retries.giveUpAfterMs;
    status.setRequest(plan.request, deadlineAtMs);
    const token = recovery?.sealedToken ?? (await createToken(plan, deadlineAtMs, status));
    status.setToken(token, !recovery);
    const sinksTried = recovery?.sinksTried ?? [];
    const receipt = await deliverToken(plan, token, sinksTried, { status, updates });
    status.reportDelivered(receipt);
    await untilCallersHaveEnding();
    return receipt;
  } catch (error) {
    // Any other error is a defect: it fails the workflow task, and the run waits for a release.
    if (error instanceof CancelledFailure || error instanceof ApplicationFailure) {
      status.reportFailure(error);
      await untilCallersHaveEnding();
    }
    throw error;
  }
}

/**
 * Validates the request, then looks for an earlier token, both in one workflow task. A recovery
 * creates nothing, so no earlier token forbids it. A cancellation takes precedence over what they
 * find.
 */
async function validateStart(request: PrepareRequest, recovery?: Recovery): Promise<RunPlan> {
  try {
    const plan = await validate(request, recovery);
    if (!recovery) await requireNoToken(request, plan);
    if (!isCancelled()) return plan;
  } catch (error) {
    if (!isCancelled()) throw error;
  }
  throw cancelledAtStart(recovery !== undefined);
}

/** A worker that cannot validate is reported as `AtlasUnavailable`: a later start may succeed. */
function validate(request: PrepareRequest, recovery?: Recovery): Promise<RunPlan> {
  return validateRequest(request, recovery ?? null, findRefusedOptions()).catch(
    (error: unknown) => {
      throw startFailure(error, 'AtlasUnavailable', 'validate the request');
    },
  );
}

function requireNoToken(request: PrepareRequest, { retries }: RunPlan): Promise<void> {
  return findToken(request, Date.now() + retries.giveUpAfterMs).catch((error: unknown) => {
    throw startFailure(error, 'TemporalUnavailable', 'look for an earlier token');
  });
}
