import type { Delivery } from '../../../src/sinks/sink';
import type { Env } from './make-sink';

/** The real server or folder behind a sink, and what the contract test needs to do to it; gone after the last test. */
export interface Fixture {
  /** True if the former token stays when the same organizations get a new one, as the docs say. */
  readonly keepsFormer: boolean;
  /**
   * A configuration that serves this delivery, as under `sinks`; `env` holds what it refers to. The contract test asks
   * before each attempt, and makes one sink for all that are equal.
   */
  configFor(delivery: Delivery): object;
  readonly env: Env;
  /** Every secret that must not be shown, beside the tokens. */
  readonly canaries: readonly string[];
  /** The result of a successful delivery. */
  locationOf(delivery: Delivery): RegExp;
  /** Every token that is held for the organizations of this delivery, the oldest first; also after `refuse`. */
  held(delivery: Delivery): Promise<string[]>;
  /** Makes this delivery fail permanently. */
  refuse(delivery: Delivery): Promise<void>;
  /** Makes the sink unreachable, and reachable again with what it held. */
  breakDown(): Promise<void>;
  recover(): Promise<void>;
  /** Loses the response to the next request that writes. Absent where there is no connection to lose it on. */
  loseResponse?(): void;
  /** Accepts requests and sends no response, until `recover`. Resolves once there is a request. */
  hang?(): Promise<unknown>;
}
