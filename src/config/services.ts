import type { Config } from '.';
import { createAdminApi, type AdminApiOptions } from '../atlas/admin-api';
import { createSinks } from '../sinks';
import { createOrganizations } from './organizations';

export type Services = Awaited<ReturnType<typeof createServices>>;

/** Creates the services that activities use and `doctor` checks. The caller closes `atlas`. */
export async function createServices(config: Config, onRequest?: AdminApiOptions['onRequest']) {
  const { atlas, retries, sealing: sealer, sinks } = config;
  return {
    atlas: createAdminApi({ ...atlas, backoff: retries, onRequest }),
    sealer,
    sinks: await createSinks(sinks),
    organizations: createOrganizations({ ...atlas, sinks }),
  };
}
