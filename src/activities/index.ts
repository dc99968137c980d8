import type { Services } from '../config/services';
import type { Activities, Retries } from '../shared/activities';
import { checkLinkActivity } from './check-link';
import { createLinkTokenActivity } from './create-link-token';
import { deliverLinkTokenActivity } from './deliver-link-token';
import { findTokenActivity } from './find-token';
import { runChecksActivity } from './run-checks';
import { validateRequestActivity } from './validate-request';

/** @param minimumTokenAgeMs age of the pair's last token from which a schedule creates another. */
export function createActivities(services: Services, retries: Retries, minimumTokenAgeMs: number): Activities {
  const { atlas, sealer, sinks, organizations } = services;
  return {
    validateRequest: validateRequestActivity(organizations, sinks, retries),
    findToken: findTokenActivity(retries.create.giveUpAfterMs),
    createLinkToken: createLinkTokenActivity(atlas, sealer, organizations, retries.create),
    deliverLinkToken: deliverLinkTokenActivity(sealer, sinks, organizations, retries.deliver),
    checkLink: checkLinkActivity(atlas, sinks, organizations, minimumTokenAgeMs),
    runChecks: runChecksActivity(services),
  };
}
