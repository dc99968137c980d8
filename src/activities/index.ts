import type { Access } from '../access';
import type { Atlas } from '../atlas/client';
import type { Activities } from '../contract/names';
import type { Sealer } from '../sealing';
import type { Sink } from '../sinks/sink';
import { createLinkTokenActivity } from './create-link-token';
import { deliverLinkTokenActivity } from './deliver-link-token';
import { validateRedeliveryActivity, validateRequestActivity, type Plans } from './validate-request';

export interface ActivityDependencies {
  atlas: Atlas;
  sealing: Sealer;
  /** By name. */
  sinks: ReadonlyMap<string, Sink>;
  access: Access;
  plans: Plans;
}

/** The activities that a worker registers. */
export function createActivities({ atlas, sealing, sinks, access, plans }: ActivityDependencies): Activities {
  return {
    validateRequest: validateRequestActivity(access, sinks, plans),
    validateRedelivery: validateRedeliveryActivity(access, plans),
    createLinkToken: createLinkTokenActivity(atlas, sealing),
    deliverLinkToken: deliverLinkTokenActivity(sealing, sinks, access),
  };
}
