/*
 * Workflow code and `--help` import this file, so it is free of zod and of Node.
 */

/**
 * What a caller may claim in a request, for the audit: texts that change nothing about the run.
 * Each goes with the token into its receipt, to the log, the Temporal UI and the sinks, and has an
 * option of its name.
 */
export const CLAIMS = {
  requestedBy: 'requester',
  changeReference: 'change or ticket',
} as const;

export type Claim = keyof typeof CLAIMS;

export const CLAIM_NAMES = Object.keys(CLAIMS) as Claim[];

/** Creates an object that has a value for each claim. */
export function forEachClaim<Value>(create: (claim: Claim) => Value): Record<Claim, Value> {
  const entries = CLAIM_NAMES.map((claim) => [claim, create(claim)]);
  return Object.fromEntries(entries) as Record<Claim, Value>;
}
