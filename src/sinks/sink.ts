import type { z } from 'zod';
import type { ReferenceContext } from '../secrets';

/** One token to hand over. `deliveryId` is the same over every attempt and every redelivery of this token. */
export interface Delivery {
  token: string;
  deliveryId: string;
  orgId: string;
  sourceOrgId: string | null;
  tokenSha256: string;
  createdAt: string;
}

export interface Sink {
  /** Whether it takes only tokens whose request names the source organization. */
  readonly needsSourceOrgId?: boolean;
  /**
   * Hands the token over, or finds that this delivery id was handed over before and changes nothing.
   *
   * @param signal aborted when the run is cancelled or the worker drains; the sink stops at the next safe point.
   * @returns where the token is now, in words an operator can follow; never the token.
   * @throws SinkUnavailableError when a later attempt can succeed, SinkRejectedError when none can.
   */
  deliver(delivery: Delivery, signal: AbortSignal): Promise<string>;
  /**
   * Looks whether a delivery could work now, and changes nothing. Left out where only a delivery can tell.
   *
   * @returns what is well, in words.
   * @throws Error that says what to mend.
   */
  check?(): Promise<string>;
}

/** Thrown when the sink cannot take the token now. Its message reaches the operator, so it holds no secret. */
export class SinkUnavailableError extends Error {
  override readonly name = 'SinkUnavailableError';

  /** @param retryAfterMs the wait the sink asked for; it is never shortened. */
  constructor(
    message: string,
    readonly retryAfterMs?: number,
  ) {
    super(message);
  }
}

/** Thrown when the sink will never take the token as it is configured. Its message holds no secret. */
export class SinkRejectedError extends Error {
  override readonly name = 'SinkRejectedError';
}

/** What a kind of sink brings: the shape of its configuration, and how a sink is made from it. */
export interface SinkType<Config = unknown> {
  /** `type` in the configuration. */
  type: string;
  /** Schema of the configuration, without `type`; secrets only by reference. */
  configSchema(context: ReferenceContext): z.ZodType<Config>;
  /** Makes the sink. A library that only this type needs is imported here, so that others do not pay for it. */
  create(config: Config): Promise<Sink>;
}
