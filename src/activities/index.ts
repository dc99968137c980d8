import type { Activities } from '../contract/activities';
import type { AdminApi } from '../atlas/admin-api';
import type { Organizations } from '../config/organizations';
import type { Sealer } from '../sealing';
import type { Sink } from '../sinks/sink';
import { createLinkTokenActivity } from './create-link-token';
import { deliverLinkTokenActivity } from './deliver-link-token';
import { validateRequestActivity, type Plans } from './validate-request';

export interface ActivityDependencies {
  atlas: AdminApi;
  sealer: Sealer;
  /** By name. */
  sinks: ReadonlyMap<string, Sink>;
  organizations: Organizations;
  plans: Plans;
}

/** The activities that a worker registers. */
export function createActivities(dependencies: ActivityDependencies): Activities {
  const { atlas, sealer, sinks, organizations, plans } = dependencies;
  return {
    validateRequest: validateRequestActivity(organizations, sinks, plans),
    createLinkToken: createLinkTokenActivity(atlas, sealer, organizations, plans.create),
    deliverLinkToken: deliverLinkTokenActivity(sealer, sinks, organizations, plans.deliver),
  };
}
