import {
  CancellationScope,
  allHandlersFinished,
  condition,
  setHandler,
  type ApplicationFailure,
} from '@temporalio/workflow';
import { differingFields } from '../contract/compare-requests';
import type { RefusalType } from '../contract/failure-types';
import { isSinkName } from '../contract/formats';
import type { Receipt } from '../contract/schemas';
import { awaitDeliveryUpdate, redeliverUpdate } from '../contract/workflows';
import { terminalFailure } from '../shared/application-failure';
import { isCancelled } from './endings';
import type { Outcome, RunStatus } from './run-status';

/** A requested redelivery; without `sink` it goes to the sink of the request. */
export interface Redelivery {
  sink?: string | undefined;
}

export type Updates = ReturnType<typeof handleUpdates>;

/**
 * Handles the Updates of a run: `redeliver` steers the loop that delivers, and both wait for the
 * next outcome of `status`.
 *
 * The validators are synchronous, and what they refuse leaves no trace. They check the shape of
 * their input by hand, so that a caller gets a failure with a type. A handler may throw nothing but
 * an ApplicationFailure: any other error would fail the workflow task for ever.
 *
 * @param request of the run, not validated yet.
 */
export function handleUpdates(request: unknown, status: RunStatus) {
  let delivery: CancellationScope | null = null;

  const updates = {
    /** The redelivery that has no outcome yet. */
    redelivery: null as Redelivery | null,

    /** Runs a delivery until it ends, or a redelivery stops it. */
    async runStoppable<T>(deliver: () => Promise<T>): Promise<T> {
      delivery = new CancellationScope();
      try {
        return await delivery.run(deliver);
      } finally {
        delivery = null;
      }
    },
  };

  async function nextOutcome(): Promise<Receipt> {
    const before = status.outcome;
    const isDecided = () => status.outcome !== before;
    // In a cancelled run any other wait would throw at once, and the caller would get no outcome.
    await CancellationScope.nonCancellable(() => condition(isDecided));
    return takeReceipt(status);
  }

  setHandler(
    redeliverUpdate,
    (input: unknown) => {
      // Before the first await, so that of two Updates in one workflow task only one passes the
      // validator.
      updates.redelivery = { sink: (input as Redelivery | null | undefined)?.sink };
      delivery?.cancel();
      return nextOutcome();
    },
    {
      validator(input: unknown) {
        requireRedelivery(input);
        requireToken(status);
        if (updates.redelivery) {
          const message = 'a redelivery is in progress: wait for its outcome';
          throw refused('RedeliveryInProgress', message);
        }
      },
    },
  );

  setHandler(awaitDeliveryUpdate, nextOutcome, {
    validator(other: unknown) {
      requireEqualRequest(request, other);
      // Refused with the last failure, the Update adds no event to the history.
      if (status.current.step === 'undelivered') takeReceipt(status);
    },
  });

  return updates;
}

/** Resolves once every caller of an Update has the ending of the run. */
export async function untilCallersHaveEnding(): Promise<void> {
  if (allHandlersFinished()) return;
  await CancellationScope.nonCancellable(() => condition(allHandlersFinished));
}

/** @throws the failure, if that was the last outcome. */
function takeReceipt(status: RunStatus): Receipt {
  const outcome = status.outcome as Outcome;
  if ('failure' in outcome) throw outcome.failure;
  return outcome.receipt;
}

/** Tells whether an input of the Update `redeliver` is nothing, {} or {sink}. */
export function isRedelivery(input: unknown): input is Redelivery | null | undefined {
  if (input === undefined || input === null) return true;
  if (typeof input !== 'object' || Array.isArray(input)) return false;
  return Object.entries(input).every(
    ([name, value]) => name === 'sink' && (value == null || isSinkName(value)),
  );
}

function requireRedelivery(input: unknown): void {
  if (isRedelivery(input)) return;
  const message = 'redeliver takes nothing, {} or {"sink": "<name of a sink>"}';
  throw refused('InvalidRequest', message);
}

function requireToken({ current: { step } }: RunStatus): void {
  if (step !== 'delivering' && step !== 'undelivered') {
    const message = `the run has no token to deliver now: its step is ${step}`;
    throw refused('NothingToDeliver', message);
  }
  if (isCancelled()) {
    const message = 'the run is cancelled: wait until it ends, then start again';
    throw refused('NothingToDeliver', message);
  }
}

function requireEqualRequest(request: unknown, other: unknown): void {
  if (typeof other !== 'object' || other === null) {
    const message = 'awaitDelivery takes the request of the run, as plain JSON without a codec';
    throw refused('InvalidRequest', message);
  }
  const fields = differingFields(request, other).join(', ');
  if (fields) {
    const message = `the run has a different request (${fields}): let it end, or cancel it`;
    throw refused('DifferentRequest', message);
  }
}

function refused(type: RefusalType, message: string): ApplicationFailure {
  return terminalFailure(type, message);
}
