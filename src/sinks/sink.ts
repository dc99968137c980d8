import type { z } from 'zod';
import type { deliverySchema } from '../contract/schemas';
import type { Pair } from '../contract/workflow-id';
import type { ReferenceContext } from '../secrets/read-secret';
import { WORKER_IDENTITY } from '../version';

/**
 * A token to deliver. `deliveryId` is the same in every attempt and every redelivery of this token.
 * The activity has parsed all fields: ids consist of hexadecimal digits and hyphens, so they are
 * safe in a path or a name.
 */
export type Delivery = z.output<typeof deliverySchema>;

export interface Sink {
  /** True if the sink takes only tokens whose request names the source organization. */
  readonly needsSourceOrgId?: boolean;
  /**
   * The Atlas organization of each source organization whose API key the sink has, by the id of the
   * source; omitted if the sink takes the tokens of all.
   */
  readonly sources?: ReadonlyMap<string, string>;
  /** True if the source is in Cloud Manager, for which MongoDB skips the access list. */
  readonly skipsAccessList?: boolean;
  /**
   * Delivers the token, or finds that this delivery id was delivered before and changes nothing. It
   * never overwrites what others wrote. Cloud Manager, which has one link, is the exception.
   *
   * @param signal aborted when the run is cancelled or the worker shuts down; the sink stops at the
   *   next safe point and throws the signal's reason.
   * @returns the location, readable by an operator and identical for a repetition; never contains
   *   the token.
   * @throws SinkUnavailableError when a later attempt can succeed, SinkRejectedError when none can,
   *   SecretUnavailableError when a secret cannot be read.
   */
  deliver(delivery: Delivery, signal: AbortSignal): Promise<string>;
  /**
   * Checks whether a delivery could succeed now, as far as it can without changing anything. A
   * place that cannot be reached is an error.
   *
   * @param target organizations of the token, as far as they are known: at least the source
   *   organization if the sink has `sources`.
   * @returns a sentence that names what works.
   * @throws SinkUnavailableError, SinkRejectedError, SecretUnavailableError
   */
  check(target: Partial<Pair>, signal: AbortSignal): Promise<string>;
  /**
   * Tells whether the source organization is linked. Omitted if the sink cannot know.
   *
   * @throws as `deliver`.
   */
  isLinked?(sourceOrgId: string, signal: AbortSignal): Promise<boolean>;
}

/**
 * Describes what keeps a sink from taking the tokens of a pair of organizations; null if nothing
 * does. It names nothing that the caller did not name, such as the pair that the source has.
 */
export function describeMissingPair(
  sinkName: string,
  { sources }: Sink,
  { orgId, sourceOrgId }: Pair,
): string | null {
  if (!sources || !sourceOrgId || sources.get(sourceOrgId) === orgId) return null;
  return (
    `sink ${sinkName} of worker ${WORKER_IDENTITY} does not take` +
    ` source organization ${sourceOrgId} to Atlas organization ${orgId}:` +
    ' if the two belong together, set' +
    ` sinks.${sinkName}.sources.${sourceOrgId} with this orgId, publicKey and privateKey,` +
    ' and restart the workers'
  );
}

/** Thrown when the sink cannot take the token now. The message holds no secret. */
export class SinkUnavailableError extends Error {
  override readonly name = 'SinkUnavailableError';

  /** @param retryAfterMs the wait that the sink requested; it is never shortened. */
  constructor(
    message: string,
    readonly retryAfterMs?: number,
  ) {
    super(message);
  }
}

/**
 * Thrown when the sink, as it is configured, will never take the token. The message holds no
 * secret.
 */
export class SinkRejectedError extends Error {
  override readonly name = 'SinkRejectedError';
}

export interface SinkType<Config = unknown> {
  type: string;
  /** Creates the schema of the configuration, without `type`. Secrets are references. */
  configSchema(context: ReferenceContext): z.ZodType<Config>;
  /**
   * Creates the sink. A library that only this type needs is imported here, so that no other type
   * loads it.
   */
  create(config: Config): Sink | Promise<Sink>;
}

/**
 * Leaves out what is not known. The result is the same for the same delivery: stores compare it.
 */
export function toStoredToken(delivery: Delivery): object {
  return Object.fromEntries(Object.entries(delivery).filter(([, value]) => value !== null));
}
