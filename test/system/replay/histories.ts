import path from 'node:path';
import { VERSION } from '../../../src/version';

/** Holds a folder for each release: open runs of each have to go on. */
export const HISTORIES_FOLDER = path.join(__dirname, 'histories');

/** The recorder writes here, and leaves the folders of other releases alone. */
export const OWN_HISTORIES_FOLDER = path.join(HISTORIES_FOLDER, VERSION);

/** The recorder records each. */
export const SCENARIO_NAMES = [
  'delivered',
  'delivered-after-retries',
  'delivered-after-lost-attempt',
  'invalid-request',
  'token-exists',
  'atlas-request-rejected',
  'atlas-response-invalid',
  'atlas-unavailable',
  'in-back-off',
  'in-back-off-after-unconfirmed',
  'undelivered',
  'undelivered-after-updates',
  'redelivered-elsewhere',
  'redelivered-elsewhere-while-retrying',
  'first-contact-by-update',
  'first-contact-by-update-undelivered',
  'first-contact-by-update-invalid-request',
  'cancelled-in-back-off',
  'cancelled-in-back-off-after-unconfirmed',
  'cancelled-during-a-post',
  'cancelled-during-a-post-with-token-left',
  'cancelled-while-delivering',
  'cancelled-while-undelivered',
  'recovered',
  'scheduled',
  'scheduled-while-token-recent',
  'scheduled-while-running',
] as const;

export type ScenarioName = (typeof SCENARIO_NAMES)[number];
