import { setDefaultSignalHandler, setHandler, type ApplicationFailure } from '@temporalio/workflow';
import type { RefusalType } from '../contract/failure-types';
import { isSinkName } from '../contract/formats';
import { MAX_WAITING_CALLERS } from '../contract/limits';
import { awaitDeliveryUpdate, redeliverUpdate, statusQuery } from '../contract/workflows';
import { terminalFailure } from '../shared/application-failure';
import { differingFields } from '../shared/compare-requests';
import { isCancelled } from './cancellation';
import type { DeliveryChannel, Redelivery } from './delivery-channel';
import type { RunStatus } from './run-status';

/**
 * Handles the Query and the Updates of a run of `prepareLiveMigration`, and ignores Signals.
 *
 * @param request of the run, not validated yet.
 */
export function handleMessages(
  request: unknown,
  status: RunStatus,
  channel: DeliveryChannel,
): void {
  // Temporal would keep Signals, of up to 2 MB each, for a handler to come.
  setDefaultSignalHandler(() => undefined);
  setHandler(statusQuery, () => status.current);
  handleRedeliver(status, channel);
  handleAwaitDelivery(request, status, channel);
}

/*
 * The validators of Updates are synchronous. What they refuse leaves no trace. They check the shape
 * of their input by hand, so that a caller gets a failure with a type. A handler may throw nothing
 * but an ApplicationFailure: any other error would fail the workflow task for ever.
 */

function handleRedeliver(status: RunStatus, channel: DeliveryChannel): void {
  setHandler(
    redeliverUpdate,
    (input: unknown) => {
      // Before the first await, so that of two Updates in one workflow task only one passes the
      // validator.
      channel.redeliver({ sink: (input as Redelivery | null | undefined)?.sink });
      return channel.waitForOutcome();
    },
    { validator: (input: unknown) => validateRedeliver(input, status, channel) },
  );
}

function handleAwaitDelivery(request: unknown, status: RunStatus, channel: DeliveryChannel): void {
  let waiting = 0;
  setHandler(
    awaitDeliveryUpdate,
    async () => {
      waiting += 1;
      try {
        return await channel.waitForOutcome();
      } finally {
        waiting -= 1;
      }
    },
    {
      validator(other: unknown) {
        requireEqualRequest(request, other);
        const failure = channel.getLastFailure();
        // Rejects the Update with the last failure, so that it adds no event to the history.
        if (status.current.step === 'undelivered' && failure) throw failure;
        if (waiting >= MAX_WAITING_CALLERS) {
          const problem = `${MAX_WAITING_CALLERS} callers wait already`;
          throw refused('TooManyWaiting', `${problem}: wait for the result of the run`);
        }
      },
    },
  );
}

function validateRedeliver(input: unknown, status: RunStatus, channel: DeliveryChannel): void {
  if (!isRedelivery(input)) {
    const message = 'redeliver takes nothing, {} or {"sink": "<name of a sink>"}';
    throw refused('InvalidRequest', message);
  }
  const { step } = status.current;
  if (step !== 'delivering' && step !== 'undelivered') {
    const message = `the run has no token to deliver now: its step is ${step}`;
    throw refused('NothingToDeliver', message);
  }
  if (isCancelled()) {
    const message = 'the run is cancelled: wait until it ends, then recover its token, if any';
    throw refused('NothingToDeliver', message);
  }
  if (channel.redelivery) {
    const message = 'a redelivery is in progress: wait for its outcome';
    throw refused('RedeliveryInProgress', message);
  }
}

function requireEqualRequest(request: unknown, other: unknown): void {
  if (typeof other !== 'object' || other === null) {
    const message = 'awaitDelivery takes the request that the run was started with';
    throw refused('InvalidRequest', message);
  }
  const fields = differingFields(request, other).join(', ');
  if (fields) {
    const message = `the run has a different request (${fields}): let it end, or cancel it`;
    throw refused('DifferentRequest', message);
  }
}

/** Tells whether an input of the Update `redeliver` is nothing, {} or {sink}. */
export function isRedelivery(input: unknown): input is Redelivery | null | undefined {
  if (input === undefined || input === null) return true;
  if (typeof input !== 'object' || Array.isArray(input)) return false;
  return Object.entries(input).every(
    ([name, value]) => name === 'sink' && (value == null || isSinkName(value)),
  );
}

function refused(type: RefusalType, message: string): ApplicationFailure {
  return terminalFailure(type, message);
}
