import type { Services } from '../config/services';
import type { Activities } from '../shared/activities';
import { checkLinkActivity } from './check-link';
import { createLinkTokenActivity } from './create-link-token';
import { deliverLinkTokenActivity } from './deliver-link-token';
import { findTokenActivity } from './find-token';
import { runChecksActivity } from './run-checks';
import { validateRequestActivity, type RetryPolicies } from './validate-request';

interface ActivityDependencies extends Services {
  policies: RetryPolicies;
  /** Age of the pair's last token from which a schedule creates another. */
  minimumTokenAgeMs: number;
}

export function createActivities(dependencies: ActivityDependencies): Activities {
  const { atlas, sealer, sinks, organizations, policies, minimumTokenAgeMs } = dependencies;
  return {
    validateRequest: validateRequestActivity(organizations, sinks, policies),
    findToken: findTokenActivity(policies.create.giveUpAfterMs),
    createLinkToken: createLinkTokenActivity(atlas, sealer, organizations, policies.create),
    deliverLinkToken: deliverLinkTokenActivity(sealer, sinks, organizations, policies.deliver),
    checkLink: checkLinkActivity(atlas, sinks, organizations, minimumTokenAgeMs),
    runChecks: runChecksActivity(dependencies),
  };
}
