import type { Fault } from '../../dev/atlas-emulator';
import type { PrepareRequest } from '../../src/contract/schemas';
import { newAccount, startAtlas } from './atlas';
import { eventually } from './eventually';
import { FILE_SINKS, startSystem, type SystemOptions } from './installation';

export type CredentialType = 'serviceAccount' | 'apiKey';
export type OwnOrganizations = Awaited<ReturnType<typeof startOwnOrganizations>>;

type Of = Pick<PrepareRequest, 'orgId'>;

/** Configures a credential of an organization; its secrets are in the environment. */
function credentialOf(type: CredentialType, orgId: string): object {
  const secret = (name: string) => ({ env: `${name}_${orgId}` });
  return type === 'apiKey'
    ? { type, publicKey: secret('publicKey'), privateKey: secret('privateKey') }
    : { type, clientId: secret('clientId'), clientSecret: secret('clientSecret') };
}

/**
 * Starts a system in which each run has an organization of its own: no other run meets its
 * faults, or waits for its circuit breaker.
 */
export async function startOwnOrganizations({
  config = {},
  env = {},
  ...more
}: SystemOptions = {}) {
  const unused = {
    serviceAccount: Array.from({ length: 20 }, newAccount),
    apiKey: Array.from({ length: 2 }, newAccount),
  };
  const accounts = [...unused.serviceAccount, ...unused.apiKey];
  const sinks = { ...FILE_SINKS, ...(config['sinks'] as object) };
  const secrets: Record<string, string> = {};
  const credentials: Record<string, object> = {};
  const organizations: Record<string, object> = {};
  for (const account of accounts) {
    const { orgId } = account;
    for (const [name, value] of Object.entries(account)) secrets[`${name}_${orgId}`] = value;
    const type = unused.apiKey.includes(account) ? 'apiKey' : 'serviceAccount';
    credentials[orgId] = credentialOf(type, orgId);
    organizations[orgId] = { credential: orgId, sinks: Object.keys(sinks) };
  }
  const system = await startSystem({
    ...more,
    atlas: await startAtlas({ others: accounts }),
    env: { ...env, ...secrets },
    config: {
      ...config,
      sinks,
      atlas: { ...(config['atlas'] as object), credentials, organizations },
    },
  });
  const { atlas, installation } = system;

  const own = {
    ...system,
    accounts,
    /** Creates a request of an organization that has no run yet. */
    newRequest(change?: Partial<PrepareRequest>, credential: CredentialType = 'serviceAccount') {
      const account = unused[credential].pop();
      if (!account) throw new Error('every organization has a run');
      return installation.newRequest({ orgId: account.orgId, ...change });
    },
    /** Sets the faults that the next requests of an organization meet. */
    setFaults({ orgId }: Of, ...faults: Fault[]) {
      atlas.faults(faults.map((fault) => ({ ...fault, orgId })));
    },
    /** Resolves once all of these faults were met. */
    async untilMet({ orgId }: Of) {
      await eventually(
        'the faults',
        () => !atlas.state().faults.some((fault) => fault.orgId === orgId),
      );
    },
    /** Starts a run and waits until it has met these faults. */
    async start(request: PrepareRequest, ...faults: Fault[]) {
      own.setFaults(request, ...faults);
      const handle = await installation.start(request);
      await own.untilMet(request);
      return { request, handle };
    },
  };
  return own;
}
