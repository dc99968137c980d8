import type { Fault } from '../../dev/atlas-emulator';
import type { PrepareRequest } from '../../src/contract/schemas';
import { newAccount, startAtlas, type AtlasAccount, type CredentialType } from './atlas';
import { eventually } from './eventually';
import { FILE_SINKS, deploy, type Config } from './installation';
import type { Temporal } from './temporal';

export type OwnOrganizations = Awaited<ReturnType<typeof createOwnOrganizations>>;
export type OwnRun = Awaited<ReturnType<OwnOrganizations['start']>>;

type Of = Pick<PrepareRequest, 'orgId'>;

/**
 * Starts an emulator, and makes an installation without a worker in which each run has an organization of its own: no
 * other run meets its faults, or waits for its circuit breaker.
 */
export async function createOwnOrganizations(
  config: Config = {},
  env: Record<string, string> = {},
  temporal?: Temporal,
) {
  const free = {
    serviceAccount: Array.from({ length: 20 }, newAccount),
    apiKey: Array.from({ length: 2 }, newAccount),
  };
  const others = [...free.serviceAccount, ...free.apiKey];
  const atlas = await startAtlas({ others });
  const { account } = atlas;
  const sinks = { ...FILE_SINKS, ...(config['sinks'] as object) };
  const allowed = { sinks: Object.keys(sinks) };
  const secrets: Record<string, string> = {};
  const credentials: Record<string, object> = {};
  const organizations: Record<string, object> = { [account.orgId]: { credential: 'default', ...allowed } };
  for (const other of others) {
    const { orgId } = other;
    const secret = (field: keyof AtlasAccount) => {
      secrets[`${field}_${orgId}`] = other[field];
      return { env: `${field}_${orgId}` };
    };
    credentials[`of-${orgId}`] = free.apiKey.includes(other)
      ? { type: 'apiKey', publicKey: secret('publicKey'), privateKey: secret('privateKey') }
      : { type: 'serviceAccount', clientId: secret('clientId'), clientSecret: secret('clientSecret') };
    organizations[orgId] = { credential: `of-${orgId}`, ...allowed };
  }
  const deployment = await deploy({
    atlas,
    ...(temporal && { temporal }),
    env: { ...env, ...secrets },
    config: { ...config, sinks, atlas: { ...(config['atlas'] as object), credentials, organizations } },
  });

  const own = {
    atlas,
    accounts: [account, ...others],
    deployment,
    /** Makes a request of an organization that has no run yet. */
    newRequest(more?: Partial<PrepareRequest>, credential: CredentialType = 'serviceAccount') {
      const unused = free[credential].pop();
      if (!unused) throw new Error('every organization has a run');
      return deployment.newRequest({ orgId: unused.orgId, ...more });
    },
    /** Sets the faults that the next requests of an organization meet. */
    setFaults({ orgId }: Of, ...faults: Omit<Fault, 'orgId'>[]) {
      atlas.faults(faults.map((fault) => ({ ...fault, orgId })));
    },
    /** Resolves once all of these faults were met. */
    async untilMet({ orgId }: Of) {
      await eventually('the faults', () => !atlas.state().faults.some((fault) => fault.orgId === orgId));
    },
    /** Starts a run and waits until it has met these faults. */
    async start(request: PrepareRequest, ...faults: Omit<Fault, 'orgId'>[]) {
      own.setFaults(request, ...faults);
      const handle = await deployment.start(request);
      await own.untilMet(request);
      return { request, handle };
    },
    created: ({ orgId }: Of) => atlas.createdTokens().filter((token) => token.orgId === orgId).length,
    /** Arrival times of the organization's requests for a link-token, in milliseconds since the epoch. */
    postTimes: ({ orgId }: Of) =>
      atlas
        .posts()
        .filter(({ path }) => path.includes(orgId))
        .map(({ startedAt }) => Date.parse(startedAt)),
  };
  return own;
}
