import { createHash, randomUUID } from 'node:crypto';
import { CompleteAsyncError, Context } from '@temporalio/activity';
import { CancelledFailure } from '@temporalio/common';
import { writeCreationFailure, writeRetryableFailure } from '../../src/activities/attempt-retries';
import { notALinkTokensKey, revocationRefused, type AtlasFailure } from '../../src/atlas/outcomes';
import type { DeliveryFailureType } from '../../src/contract/failure-types';
import {
  tokenFactsSchema,
  type Revocation as RevocationInput,
  type Revoked,
  type SealedToken,
} from '../../src/contract/schemas';
import type { Activities, Backoff, CreateInput } from '../../src/shared/activities';
import { NOTHING_DONE, type AttemptFailure } from '../../src/shared/attempt-failure';
import { sharedTemporal } from '../support/temporal';

/** One attempt to create a token: it returns or throws what the real activity does. */
export type Creation = (input: CreateInput, backoff: Backoff) => SealedToken | Promise<SealedToken>;

type Delivered = Awaited<ReturnType<Activities['deliverLinkToken']>>;

/** One attempt to deliver a token. */
export type Delivery = (
  input: Pick<SealedToken, 'jwe'>,
  sink: string,
  backoff: Backoff,
) => Delivered | Promise<Delivered>;

/** Holds an attempt until a test lets it go on. */
export class Gate {
  open!: () => void;
  private readonly opened = new Promise<void>((resolve) => (this.open = resolve));
  readonly pass = () => this.opened;
}

const HEARTBEAT_INTERVAL_MS = 50;

/** Sends heartbeats: a cancellation reaches an attempt with the response to one. */
export async function withHeartbeats<T>(promise: Promise<T>): Promise<T> {
  const context = Context.current();
  const timer = setInterval(() => context.heartbeat(), HEARTBEAT_INTERVAL_MS);
  return promise.finally(() => clearInterval(timer));
}

/** A delivery whose response comes once it has waited. A cancellation stops it. */
export function deliveryAfter(wait: () => Promise<void>, delivery: Delivery): Delivery {
  return async (...args) => {
    await withHeartbeats(Promise.race([wait(), Context.current().cancelled]));
    return delivery(...args);
  };
}

/** A token as a worker seals it. The seal is left out: `jwe` holds the facts in plain JSON. */
function sealedToken(
  { sink: _, ...request }: CreateInput['request'],
  unconfirmedTokens: number,
): SealedToken {
  const deliveryId = randomUUID();
  // As the sealer does, it drops what is no fact of the token.
  const facts = tokenFactsSchema.parse({
    ...request,
    deliveryId,
    tokenSha256: createHash('sha256').update(deliveryId).digest('hex'),
    publicApiKey: 'abcdefgh',
    createdAt: new Date().toISOString(),
    unconfirmedTokens,
  });
  return { jwe: JSON.stringify(facts), ...facts };
}

/** Atlas creates a token, and the worker receives it. */
export const created: Creation = ({ request, unconfirmedTokens }) =>
  sealedToken(request, unconfirmedTokens);

function failedCreation(
  type: AtlasFailure['type'],
  tokenMayExist: boolean,
  message: string,
  more: Partial<AtlasFailure> = {},
): Creation {
  const facts = { ...NOTHING_DONE, permanent: true, tokenMayExist };
  const outcome = { ...facts, type, message, details: {}, ...more };
  return ({ activityNumber }, backoff) => {
    const { info } = Context.current();
    const failureCount = activityNumber - 1 + info.attempt;
    throw writeCreationFailure(outcome, { info, failureCount, backoff });
  };
}

const unavailable = (status: number, tokenMayExist: boolean, retryAfterMs?: number) =>
  failedCreation('AtlasUnavailable', tokenMayExist, `Atlas returned ${status}`, {
    permanent: false,
    details: { status },
    retryAfterMs,
  });

/** Atlas creates nothing: Temporal retries the attempt. */
export const notCreated = (retryAfterMs?: number) => unavailable(429, false, retryAfterMs);

/** Atlas may have created a token: the workflow counts it. */
export const unconfirmed = (retryAfterMs?: number) => unavailable(503, true, retryAfterMs);

export const rejectedWith = (message: string) =>
  failedCreation('AtlasRequestRejected', false, message);
export const rejected = rejectedWith('Atlas returned 403');
export const invalidResponse = failedCreation('AtlasResponseInvalid', true, '201 without a token');
export const notSealed = failedCreation('TokenLost', true, 'the worker could not seal the token', {
  details: { publicApiKey: 'abcdefgh' },
});

type Timeout = 'heartbeatTimeout' | 'startToCloseTimeout';

/**
 * An attempt that never reports again. It alone has a short timeout, so that no other one times out,
 * however busy the machine is.
 */
function timingOut(timeout: Timeout): () => Promise<never> {
  return async () => {
    const { client } = await sharedTemporal();
    const { activityId, workflowExecution = {} } = Context.current().info;
    await client.workflowService.updateActivityOptions({
      namespace: 'default',
      execution: workflowExecution,
      id: activityId,
      activityOptions: { [timeout]: { seconds: 1 } },
      updateMask: { paths: [timeout] },
    });
    throw new CompleteAsyncError();
  };
}

export const lost = timingOut('heartbeatTimeout');
export const tooSlow = timingOut('startToCloseTimeout');

/** A creation whose response comes only after a cancellation, and is still awaited. */
export function afterCancel(creation: Creation): Creation {
  return async (...args) => {
    await withHeartbeats(Context.current().cancelled).catch(() => undefined);
    return creation(...args);
  };
}

/** An attempt of any activity that fails. */
export function failing(error: Error): () => never {
  return () => {
    throw error;
  };
}

/** An attempt that is cancelled before its request is sent. */
export const cancelledBeforeSending = afterCancel(failing(new CancelledFailure('cancelled')));

/** A text just below the 2 MiB that Temporal takes in one payload. */
export const HUGE = 'x'.repeat(1_900_000);

/** A token that does not name its key. */
export const nameless: Creation = async (...args) => ({
  ...(await created(...args)),
  publicApiKey: null,
});

/** A creation that somebody completes by hand, with something other than a token. */
export const completedByHand: Creation = ({ request, unconfirmedTokens }) => ({
  ...sealedToken(request, unconfirmedTokens),
  deliveryId: HUGE,
});

/** One attempt to delete the key of a token. */
export type Revocation = (token: RevocationInput, backoff: Backoff) => Revoked | Promise<Revoked>;

/** Atlas deletes the key. */
export const revoked: Revocation = ({ orgId, publicApiKey }) => ({
  orgId,
  publicApiKey,
  outcome: 'deleted',
  keyId: '1'.repeat(24),
  at: new Date().toISOString(),
});

/** Somebody has deleted the key. */
export const goneBefore: Revocation = (...args) => ({
  ...(revoked(...args) as Revoked),
  outcome: 'gone',
  keyId: null,
});

function failedRevocation(failure: AtlasFailure): Revocation {
  return (_token, backoff) => {
    const { info } = Context.current();
    throw writeRetryableFailure(failure, { info, failureCount: info.attempt, backoff });
  };
}

const away: AtlasFailure = {
  ...NOTHING_DONE,
  type: 'AtlasUnavailable',
  message: 'Atlas returned 503',
  details: { status: 503 },
};

/** Temporal retries it. */
export const atlasAway = failedRevocation(away);

const OTHER_KEY = { id: '1'.repeat(24), desc: 'deploy' };
export const otherKey = failedRevocation(notALinkTokensKey('abcdefgh', OTHER_KEY).failure);
export const forbidden = failedRevocation(
  revocationRefused('atlas.revocation of these workers is false').failure,
);

/** The sink stores the token. */
export function stored({ jwe }: Pick<SealedToken, 'jwe'>, sink: string): Delivered {
  const facts = JSON.parse(jwe) as SealedToken;
  return { ...facts, sink, location: `place of ${sink}`, deliveredAt: new Date().toISOString() };
}

/** A delivery whose outcome comes only after a cancellation. */
export function afterCancelOf(delivery: Delivery): Delivery {
  return async (...args) => {
    await withHeartbeats(Context.current().cancelled).catch(() => undefined);
    return delivery(...args);
  };
}

/** A delivery that hangs until it is cancelled. */
export const hanging = deliveryAfter(() => new Promise(() => undefined), stored);

/** A delivery that somebody completes by hand, with this location. */
export function deliveredByHand(location: unknown): Delivery {
  return (input, sink) => ({ ...stored(input, sink), location: location as string });
}

function failedDelivery(
  type: DeliveryFailureType,
  message: string,
  more: Partial<AttemptFailure<DeliveryFailureType>> = {},
): Delivery {
  return (_input, _sink, backoff) => {
    const { info } = Context.current();
    const failure = { ...NOTHING_DONE, permanent: true, type, message, details: {}, ...more };
    throw writeRetryableFailure(failure, { info, failureCount: info.attempt, backoff });
  };
}

export const sinkRejects = failedDelivery('SinkRejected', 'the sink rejects it');

/** Temporal retries it until the round ends. */
export const sinkUnavailable = (retryAfterMs?: number) =>
  failedDelivery('SinkUnavailable', 'the sink is away', { permanent: false, retryAfterMs });

/** An attempt at a sink that is not configured. */
export const noSuchSink = failedDelivery('SinkRejected', 'there is no such sink');
