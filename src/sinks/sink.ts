import type { z } from 'zod';
import type { deliveryFactsSchema } from '../contract/schemas';
import type { ReferenceContext } from '../secrets';

/**
 * One token to deliver. `deliveryId` is the same over every attempt and every redelivery of this token. The activity has
 * parsed everything: ids consist of hexadecimal digits and hyphens, so they are safe in a path or a name.
 */
export type Delivery = z.output<typeof deliveryFactsSchema> & { token: string };

export type CheckTarget = Pick<Delivery, 'orgId' | 'sourceOrgId'>;

export interface Sink {
  /** Whether it takes only tokens whose request names the source organization. */
  readonly needsSourceOrgId?: boolean;
  /**
   * Delivers the token, or finds that this delivery id was delivered before and changes nothing. What somebody else
   * wrote is never overwritten.
   *
   * @param signal aborted when the run is cancelled or the worker shuts down; the sink stops at the next safe point and
   *   throws the signal's reason.
   * @returns where the token is now, in terms that an operator can follow, and the same for a repetition; never the
   *   token.
   * @throws SinkUnavailableError when a later attempt can succeed, SinkRejectedError when none can,
   *   SecretUnavailableError when a secret cannot be read.
   */
  deliver(delivery: Delivery, signal: AbortSignal): Promise<string>;
  /**
   * Checks whether a delivery could succeed now, and changes nothing. Left out where only a delivery can tell.
   *
   * @param target whose token would be delivered; null when it is not known yet.
   * @returns what was found to work.
   * @throws SinkUnavailableError, SinkRejectedError, SecretUnavailableError
   */
  check?(target: CheckTarget | null, signal: AbortSignal): Promise<string>;
  /**
   * Whether the source organization is linked with an Atlas organization; left out where the sink cannot know.
   *
   * @throws as `deliver`.
   */
  isLinked?(sourceOrgId: string, signal: AbortSignal): Promise<boolean>;
}

/** Thrown when the sink cannot take the token now. The message reaches the operator, so it holds no secret. */
export class SinkUnavailableError extends Error {
  override readonly name = 'SinkUnavailableError';

  /** @param retryAfterMs the wait that the sink requested; it is never truncate. */
  constructor(
    message: string,
    readonly retryAfterMs?: number,
  ) {
    super(message);
  }
}

/** Thrown when the sink will never take the token as it is configured. The message holds no secret. */
export class SinkRejectedError extends Error {
  override readonly name = 'SinkRejectedError';
}

/** Registration of a type of sink, in the list of `index.ts`. */
export interface SinkType<Type extends string = string, Config = unknown> {
  /** `type` in the configuration. */
  type: Type;
  /** Schema of the configuration, without `type`. Secrets only by reference. */
  configSchema(context: ReferenceContext): z.ZodType<Config>;
  /** Makes the sink. A library that only this type needs is imported here, so that no other type loads it. */
  create(config: Config): Sink | Promise<Sink>;
}
