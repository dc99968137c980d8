/*
 * What a run is, and what became of its token: docs/commands.md explains the words. Workflow code
 * imports this file.
 */

/** What a run does, or how it ended, as the run says it. */
export const STEPS = [
  'validating',
  'creating',
  'delivering',
  'undelivered',
  'revoking',
  'delivered',
  'failed',
  'cancelled',
] as const;

export type Step = (typeof STEPS)[number];

/** What became of a token: its run is open, a sink has it, or its run ended without a delivery. */
export type TokenState = 'open' | 'delivered' | 'abandoned';
