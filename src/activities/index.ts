import type { Activities } from '../contract/activities';
import type { AdminApi } from '../atlas/admin-api';
import type { Organizations } from '../config/organizations';
import type { Sealer } from '../sealing';
import type { Sink } from '../sinks/sink';
import { checkLinkActivity } from './check-link';
import { createLinkTokenActivity } from './create-link-token';
import { deliverLinkTokenActivity } from './deliver-link-token';
import { removeLinkActivity } from './remove-link';
import { validateRequestActivity, type Plans } from './validate-request';

export interface ActivityDependencies {
  atlas: AdminApi;
  sealer: Sealer;
  /** By name. */
  sinks: ReadonlyMap<string, Sink>;
  organizations: Organizations;
  plans: Plans;
  /** A schedule creates no token while the pair's last one is younger. */
  newTokenAfterMs: number;
}

/** The activities that a worker registers. */
export function createActivities(dependencies: ActivityDependencies): Activities {
  const { atlas, sealer, sinks, organizations, plans, newTokenAfterMs } = dependencies;
  return {
    validateRequest: validateRequestActivity(organizations, sinks, plans),
    createLinkToken: createLinkTokenActivity(atlas, sealer, organizations, plans.create),
    deliverLinkToken: deliverLinkTokenActivity(sealer, sinks, organizations, plans.deliver),
    checkLink: checkLinkActivity(atlas, sinks, organizations, newTokenAfterMs),
    removeLink: removeLinkActivity(atlas, organizations),
  };
}
