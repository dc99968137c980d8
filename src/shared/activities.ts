import type { CheckReport, PrepareRequest, Receipt, Recovery, SealedToken, ValidRequest } from '../contract/schemas';

export interface Backoff {
  initialIntervalMs: number;
  backoffCoefficient: number;
  maximumIntervalMs: number;
}

export interface ActivityRetries extends Backoff {
  /** Exceeds the longest attempt, so that an attempt ends by itself. */
  attemptTimeoutMs: number;
  heartbeatTimeoutMs: number;
}

export interface CreateRetries extends ActivityRetries {
  /** Creation ends this long after its first attempt. */
  giveUpAfterMs: number;
}

export interface DeliverRetries extends ActivityRetries {
  roundMs: number;
  /** The pause after the first failed round; it doubles up to `maximumPauseMs`. */
  firstPauseMs: number;
  maximumPauseMs: number;
}

export interface RunOptions {
  workflowId: string;
  /** Names of the start options, such as `workflowRunTimeout`, that were set and are refused. */
  refusedOptions: string[];
}

/** The settings `retries`, with the timeouts of an attempt. */
export interface Retries {
  create: CreateRetries;
  deliver: DeliverRetries;
}

/** A valid request with the retries of its run: workflow code reads no configuration. */
export interface ValidatedRequest {
  request: ValidRequest;
  retries: Retries;
}

export interface CreateInput {
  request: ValidRequest;
  unconfirmedTokens: number;
  /** Counts the activities of the run that create, from 1: delays grow from each to the next. */
  activityNumber: number;
  /** No attempt starts after this time (milliseconds since the epoch). */
  deadlineAtMs: number;
}

/** Each round writes this to the history, so it is small. */
export type DeliverInput = Pick<SealedToken, 'jwe'>;

export interface LinkCheck {
  orgId: string;
  sourceOrgId: string | null;
  sink: string;
  lastTokenAt: string | null;
}

/** The part of a failed attempt's details that only the workflow reads. */
export interface AttemptDetails {
  /** False when the attempt created nothing. */
  tokenMayExist?: boolean;
  /** True when the run may try again, even after a failure that Temporal may not retry. */
  runMayRetry?: boolean;
  /** False when the only attempt ended before it called the sink, which then cannot have the token. */
  sinkTried?: boolean;
  /** The wait that Atlas or the sink requested. */
  retryAfterMs?: number;
}

export interface LinkState {
  linked: boolean;
  /** True when the pair's last token is too young for another one. */
  recentToken: boolean;
  /** The later one of what the schedule knew and what Temporal's list of runs has. */
  lastTokenAt: string | null;
  /** The newest closed run of the pair that has a token, delivered or recoverable. */
  tokenRunId: string | null;
}

export interface Activities {
  validateRequest(request: PrepareRequest, recovery: Recovery | null, run: RunOptions): Promise<ValidatedRequest>;
  /**
   * @param request not validated yet.
   * @param startedAtMs when the run began to look: Core's timers between local retries start that time anew.
   * @throws ApplicationFailure of type TokenExists or TemporalUnavailable.
   */
  findToken(request: unknown, startedAtMs: number): Promise<void>;
  createLinkToken(input: CreateInput): Promise<SealedToken>;
  deliverLinkToken(sealedToken: DeliverInput, sink: string): Promise<Omit<Receipt, 'alsoTried'>>;
  checkLink(check: LinkCheck): Promise<LinkState>;
  /** @param request not validated yet; null to check the worker alone. */
  runChecks(request: unknown): Promise<CheckReport>;
}
