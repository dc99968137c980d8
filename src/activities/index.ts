import type { Services } from '../config/services';
import type { Activities, Retries } from '../shared/activities';
import { checkLinkActivity } from './check-link';
import { createLinkTokenActivity } from './create-link-token';
import { deliverLinkTokenActivity } from './deliver-link-token';
import { revokeLinkTokenActivity } from './revoke-link-token';
import { runChecksActivity } from './run-checks';
import { validateRequestActivity } from './validate-request';

/** @param minimumTokenAgeMs age of the pair's last token from which a schedule creates another. */
export function createActivities(
  services: Services,
  retries: Retries,
  minimumTokenAgeMs: number,
  { searchAttributes = false, revocation = true } = {},
): Activities {
  return {
    validateRequest: validateRequestActivity(services, retries, searchAttributes),
    createLinkToken: createLinkTokenActivity(services, retries),
    deliverLinkToken: deliverLinkTokenActivity(services, retries),
    revokeLinkToken: revokeLinkTokenActivity(services, retries, revocation),
    checkLink: checkLinkActivity(services, minimumTokenAgeMs),
    runChecks: runChecksActivity(services, searchAttributes),
  };
}
