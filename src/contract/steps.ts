/** What a run does, or how it ended, as the run says it. Workflow code imports this. */
export const STEPS = [
  'validating',
  'creating',
  'delivering',
  'undelivered',
  'delivered',
  'failed',
  'cancelled',
] as const;

export type Step = (typeof STEPS)[number];
