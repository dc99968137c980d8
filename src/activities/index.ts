import type { Activities } from '../contract/activities';
import { checkLinkActivity } from './check-link';
import { createLinkTokenActivity } from './create-link-token';
import { deliverLinkTokenActivity } from './deliver-link-token';
import { findTokenActivity } from './find-token';
import { runChecksActivity } from './run-checks';
import { validateRequestActivity, type RetryPlans } from './validate-request';
import type { Services } from './services';

interface ActivityDependencies extends Services {
  plans: RetryPlans;
  /** Age of the pair's last token from which a schedule creates another. */
  minimumTokenAgeMs: number;
}

/** Makes the activities that a worker registers. */
export function createActivities(dependencies: ActivityDependencies): Activities {
  const { atlas, sealer, sinks, organizations, plans, minimumTokenAgeMs } = dependencies;
  return {
    validateRequest: validateRequestActivity(organizations, sinks, plans),
    findToken: findTokenActivity(plans.create.giveUpAfterMs),
    createLinkToken: createLinkTokenActivity(atlas, sealer, organizations, plans.create),
    deliverLinkToken: deliverLinkTokenActivity(sealer, sinks, organizations, plans.deliver),
    checkLink: checkLinkActivity(atlas, sinks, organizations, minimumTokenAgeMs),
    runChecks: runChecksActivity(dependencies),
  };
}
