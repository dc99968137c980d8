import path from 'node:path';

export const HISTORIES_FOLDER = path.join(__dirname, 'histories');

/** The recorder records each, and the replay test replays each. */
export const STORY_NAMES = [
  'delivered',
  'delivered-after-retries',
  'invalid-request',
  'atlas-request-rejected',
  'atlas-response-invalid',
  'atlas-unavailable',
  'in-back-off',
  'undelivered',
  'undelivered-after-updates',
  'redelivered-elsewhere',
  'first-contact-by-update',
  'first-contact-by-update-undelivered',
  'cancelled-in-back-off',
  'cancelled-during-a-post',
  'cancelled-while-undelivered',
  'recovered',
  'scheduled',
  'scheduled-while-running',
] as const;

export type StoryName = (typeof STORY_NAMES)[number];
