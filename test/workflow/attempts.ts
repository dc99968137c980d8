import { createHash, randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { CompleteAsyncError, Context } from '@temporalio/activity';
import { CancelledFailure } from '@temporalio/common';
import { creationFailure, deliveryFailure } from '../../src/activities/failures';
import type { AtlasOutcome } from '../../src/atlas/outcomes';
import type { CreateInput, DeliverInput } from '../../src/contract/activity-inputs';
import type { Receipt, SealedToken } from '../../src/contract/schemas';
import type { CreateRetryPolicy, DeliverRetryPolicy } from '../../src/shared/activities';
import type { DeliveryOutcome } from '../../src/sinks/outcomes';

/** One attempt to create a token: it returns or throws what the real activity does. */
export type Creation = (input: CreateInput, policy: CreateRetryPolicy) => SealedToken | Promise<SealedToken>;

/** One attempt to deliver a token. */
export type Delivery = (
  input: DeliverInput,
  sink: string,
  policy: DeliverRetryPolicy,
) => Omit<Receipt, 'alsoTried'> | Promise<Omit<Receipt, 'alsoTried'>>;

/** Holds an attempt until a test lets it go on. */
export class Gate {
  open!: () => void;
  reach!: () => void;
  readonly opened = new Promise<void>((resolve) => (this.open = resolve));
  /** Resolves when an attempt waits at the gate. */
  readonly reached = new Promise<void>((resolve) => (this.reach = resolve));
}

const HEARTBEAT_INTERVAL_MS = 50;

/** A cancellation reaches an attempt with the response to a heartbeat. */
export async function withHeartbeats<T>(promise: Promise<T>): Promise<T> {
  const context = Context.current();
  const timer = setInterval(() => context.heartbeat(), HEARTBEAT_INTERVAL_MS);
  return promise.finally(() => clearInterval(timer));
}

/** A creation whose response comes once the gate opens. No cancellation abandons it. */
export function responseAt(gate: Gate, creation: Creation): Creation {
  return async (input, policy) => {
    gate.reach();
    await withHeartbeats(gate.opened);
    return creation(input, policy);
  };
}

/** A delivery whose response comes once the gate opens. A cancellation stops it. */
export function deliveryAt(gate: Gate, delivery: Delivery): Delivery {
  return async (input, sink, policy) => {
    const { cancelled } = Context.current();
    gate.reach();
    await withHeartbeats(Promise.race([gate.opened, cancelled]));
    return delivery(input, sink, policy);
  };
}

/** A delivery that takes a while. A cancellation stops it. */
export function slowly(ms: number, delivery: Delivery): Delivery {
  return async (input, sink, policy) => {
    const { cancelled } = Context.current();
    await withHeartbeats(Promise.race([sleep(ms), cancelled]));
    return delivery(input, sink, policy);
  };
}

/** A token as a worker seals it. The seal is left out: `jwe` holds the facts in plain JSON. */
export function sealedToken(request: CreateInput['request'], unconfirmedTokens: number): SealedToken {
  const { sink: _, ...rest } = request;
  const deliveryId = randomUUID();
  const tokenSha256 = createHash('sha256').update(deliveryId).digest('hex');
  const facts = { ...rest, deliveryId, tokenSha256, createdAt: new Date().toISOString(), unconfirmedTokens };
  return { jwe: JSON.stringify(facts), ...facts };
}

/** Atlas creates a token, and the worker receives it. */
export const created: Creation = ({ request, unconfirmedTokens }) => sealedToken(request, unconfirmedTokens);

/** The worker has the token of the attempt before, which was lost and counted. */
export const foundAgain: Creation = ({ request, unconfirmedTokens }) =>
  sealedToken(request, unconfirmedTokens - 1);

/** A time of the server by the clock of this process: the server may skip time. */
function deadlineHere(deadlineAtMs: number): number {
  return Date.now() + deadlineAtMs - Context.current().info.currentAttemptScheduledTimestampMs;
}

function failedCreation(outcome: AtlasOutcome): Creation {
  return ({ activityNumber, deadlineAtMs }, policy) => {
    const attempt = activityNumber - 1 + Context.current().info.attempt;
    throw creationFailure(outcome, { backoff: policy, attempt, deadlineAtMs: deadlineHere(deadlineAtMs) });
  };
}

/** A failure that Temporal retries, or that the workflow counts. */
const unavailable = (status: number, tokenMayExist: boolean, retryAfterMs?: number): Creation =>
  failedCreation({
    type: 'AtlasUnavailable',
    retryable: true,
    tokenMayExist,
    message: `Atlas returned ${status}`,
    details: { status },
    retryAfterMs,
  });

const permanent = (
  type: AtlasOutcome['type'],
  tokenMayExist: boolean,
  message: string,
  details: AtlasOutcome['details'] = {},
): Creation => failedCreation({ type, retryable: false, tokenMayExist, message, details });

/** Atlas creates nothing: Temporal retries the attempt. */
export const notCreated = (retryAfterMs?: number) => unavailable(429, false, retryAfterMs);

/** Atlas may have created a token: the workflow counts it. */
export const unconfirmed = (retryAfterMs?: number) => unavailable(503, true, retryAfterMs);

export const rejectedWith = (message: string) =>
  permanent('AtlasRequestRejected', false, message, { status: 403 });

export const rejected = rejectedWith('Atlas returned 403');

export const invalidResponse = permanent('AtlasResponseInvalid', true, 'Atlas returned 201 without a token', {
  status: 201,
});

export const notSealed = permanent(
  'TokenLost',
  true,
  'Atlas created a token and the worker could not seal it',
);

/** An attempt that finds no token of a lost attempt after the deadline, and sends nothing. */
export const tooLate = permanent(
  'AtlasUnavailable',
  false,
  'gave up: the retry deadline passed before the request was sent to Atlas',
);

/** An attempt of which Temporal hears nothing more, and which it takes for lost after the heartbeat timeout. */
export function lost(): never {
  throw new CompleteAsyncError();
}

/** An attempt that is cancelled before its request is sent. */
export const cancelledBeforeSending: Creation = async () => {
  await withHeartbeats(Context.current().cancelled);
  throw new CancelledFailure('unreachable');
};

/** Result of an activity that somebody completes by hand. */
export const completedByHand = () => 'text' as never;

/** The sink stores the token. */
export const stored: Delivery = ({ jwe }, sink) => ({
  ...(JSON.parse(jwe) as SealedToken),
  sink,
  location: `place of ${sink}`,
  deliveredAt: new Date().toISOString(),
});

/** Result of a delivery that somebody completes with the receipt of another token. */
export const storedAnother: Delivery = async (input, sink, policy) => ({
  ...(await stored(input, sink, policy)),
  deliveryId: randomUUID(),
});

/** @param callsSink whether the attempt calls its sink; an earlier attempt of the activity may have called it, too. */
function failedDelivery(outcome: DeliveryOutcome, callsSink = true): Delivery {
  return (_input, _sink, policy) => {
    const { attempt, scheduledTimestampMs, scheduleToCloseTimeoutMs, startToCloseTimeoutMs } =
      Context.current().info;
    const roundEndMs = scheduledTimestampMs + scheduleToCloseTimeoutMs - startToCloseTimeoutMs;
    throw deliveryFailure(
      outcome,
      { backoff: policy, attempt, deadlineAtMs: deadlineHere(roundEndMs) },
      callsSink || attempt > 1,
    );
  };
}

export const sinkRejects = failedDelivery({
  type: 'SinkRejected',
  retryable: false,
  message: 'the sink rejects it',
});

/** Temporal retries it until the round ends. */
export function sinkUnavailable(retryAfterMs?: number): Delivery {
  return failedDelivery({
    type: 'SinkUnavailable',
    retryable: true,
    message: 'the sink is away',
    retryAfterMs,
  });
}

export const unreadable = failedDelivery(
  { type: 'SealedTokenUnreadable', retryable: false, message: 'this worker has no such key' },
  false,
);

/** An attempt at a sink that is not configured: no sink is called. */
export const noSuchSink = failedDelivery(
  { type: 'SinkRejected', retryable: false, message: 'there is no such sink' },
  false,
);
