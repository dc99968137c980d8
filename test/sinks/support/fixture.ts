import type { Delivery } from '../../../src/sinks/sink';
import type { Env } from './make-sink';

/** The real thing behind a sink, and what the contract test needs to do to it. */
export interface Fixture {
  readonly type: string;
  /** What the docs say of the token before, when the same organizations get a new one. */
  readonly formerToken: 'stays beside it' | 'stays as an older version' | 'is replaced';
  /** A configuration that serves this delivery, as under `sinks`; `env` holds what it refers to. */
  configFor(delivery: Delivery): object;
  readonly env: Env;
  /** Every secret that must not show, beside the tokens. */
  readonly canaries: readonly string[];
  /** Every token the thing holds for the organizations of this delivery, the oldest first. */
  held(delivery: Delivery): Promise<string[]>;
  /** Makes the thing refuse this delivery for good. */
  refuse(delivery: Delivery): Promise<void>;
  /** Makes it unreachable, and reachable again with what it held. */
  breakDown(): Promise<void>;
  recover(): Promise<void>;
  /** Loses the next answer to a request that writes. Absent where there is no line to lose it on. */
  loseAnswer?(): void;
  /** Takes requests and gives no answer, until `recover`. */
  hang?(): void;
  stop(): Promise<void>;
}
