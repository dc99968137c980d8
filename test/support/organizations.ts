import type { Fault } from '../../dev/atlas-emulator';
import type { PrepareRequest } from '../../src/contract/schemas';
import {
  newAccount,
  organizationsOf,
  startAtlas,
  type AtlasAccount,
  type CredentialType,
  type TestAtlas,
} from './atlas';
import { eventually } from './eventually';
import { FILE_SINKS, deploy, type Config, type Deployment, type Handle } from './installation';
import type { Temporal } from './temporal';

type OwnFault = Omit<Fault, 'orgId'>;

/** A run of an organization that no other run has: no other meets its faults, or waits for its circuit breaker. */
export interface OwnRun {
  request: PrepareRequest;
  handle: Handle;
}

export interface OwnOrganizations {
  atlas: TestAtlas;
  /** All of them. */
  accounts: readonly AtlasAccount[];
  deployment: Deployment;
  /** Makes a request of an organization that has no run yet. */
  newRequest(more?: Partial<PrepareRequest>, credential?: CredentialType): PrepareRequest;
  /** Sets the faults that the next requests of an organization meet. */
  setFaults(request: PrepareRequest, ...faults: OwnFault[]): void;
  /** Resolves once all of these faults were met. */
  untilMet(request: PrepareRequest): Promise<void>;
  /** Starts a run and waits until it has met these faults. */
  start(request: PrepareRequest, ...faults: OwnFault[]): Promise<OwnRun>;
  created(request: PrepareRequest): number;
  /** Arrival times of the organization's requests for a link-token, in milliseconds since the epoch. */
  postTimes(request: PrepareRequest): number[];
}

const HOW_MANY = 20;

/** Starts an emulator, and makes an installation without a worker, in which runs have organizations of their own. */
export async function createOwnOrganizations(
  config: Config = {},
  env: Record<string, string> = {},
  temporal?: Temporal,
): Promise<OwnOrganizations> {
  const serviceAccounts = Array.from({ length: HOW_MANY }, newAccount);
  const apiKeys = Array.from({ length: 2 }, newAccount);
  const atlas = await startAtlas({ others: [...serviceAccounts, ...apiKeys] });
  const sinks = { ...FILE_SINKS, ...(config['sinks'] as object) };
  const organizations = organizationsOf(
    atlas,
    [
      ...serviceAccounts.map((account) => ({ account, type: 'serviceAccount' as const })),
      ...apiKeys.map((account) => ({ account, type: 'apiKey' as const })),
    ],
    Object.keys(sinks),
  );
  const deployment = await deploy({
    atlas,
    ...(temporal && { temporal }),
    env: { ...env, ...organizations.env },
    config: { ...config, sinks, atlas: { ...(config['atlas'] as object), ...organizations.atlas } },
  });
  const free = { serviceAccount: [...serviceAccounts], apiKey: [...apiKeys] };
  const left = ({ orgId }: PrepareRequest) => atlas.state().faults.filter((fault) => fault.orgId === orgId);

  const own: OwnOrganizations = {
    atlas,
    accounts: [atlas.account, ...serviceAccounts, ...apiKeys],
    deployment,
    newRequest(more, credential = 'serviceAccount') {
      const account = free[credential].pop();
      if (!account) throw new Error('every organization has a run');
      return deployment.newRequest({ orgId: account.orgId, ...more });
    },
    setFaults: ({ orgId }, ...faults) => atlas.faults(faults.map((fault) => ({ ...fault, orgId }))),
    async untilMet(request) {
      await eventually('the faults', () => left(request).length === 0);
    },
    async start(request, ...faults) {
      own.setFaults(request, ...faults);
      const handle = await deployment.start(request);
      await own.untilMet(request);
      return { request, handle };
    },
    created: ({ orgId }) => atlas.createdTokens().filter((token) => token.orgId === orgId).length,
    postTimes: ({ orgId }) =>
      atlas
        .requestsOn('linkTokens')
        .filter(({ path, challenge }) => path.includes(orgId) && !challenge)
        .map(({ startedAt }) => Date.parse(startedAt)),
  };
  return own;
}
