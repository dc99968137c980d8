import type { Config } from '.';
import { createAdminApi, type AdminApi, type AdminApiOptions } from '../atlas/admin-api';
import type { Sealer } from '../secrets/sealing';
import { createSinks } from '../sinks';
import type { Sink } from '../sinks/sink';
import { createOrganizations, type Organizations } from './organizations';

/** The services that activities use and `doctor` checks. The caller that makes them closes `atlas`. */
export interface Services {
  atlas: AdminApi;
  sealer: Sealer;
  sinks: ReadonlyMap<string, Sink>;
  organizations: Organizations;
}

export async function createServices(
  { atlas, retries, sealing: sealer, sinks }: Config,
  onRequest?: AdminApiOptions['onRequest'],
): Promise<Services> {
  return {
    atlas: createAdminApi({ ...atlas, backoff: retries.create, ...(onRequest && { onRequest }) }),
    sealer,
    sinks: await createSinks(sinks),
    organizations: createOrganizations({ ...atlas, sinks }),
  };
}
