import { z } from 'zod';
import { parseFaults, type Fault, type Faults } from './faults';
import type { RouteName } from './route-names';
import { parseSeed, type Seed, type SeedInput } from './seed';
import type { LinkToken, MigrationLink, RequestRecord, Store } from './store';

/** All there is to see; no secret but the link-tokens. */
export interface EmulatorState {
  organizations: Seed['organizations'];
  sourceOrganizations: Seed['sourceOrganizations'];
  serviceAccounts: { clientId: string; orgId: string; roles: string[]; liveAccessTokens: number }[];
  apiKeys: { publicKey: string; orgId: string; roles: string[] }[];
  settings: Seed['settings'];
  linkTokens: LinkToken[];
  migrationLinks: MigrationLink[];
  faults: Fault[];
}

const EXPIRABLE = ['accessTokens', 'nonces'] as const;
export type Expirable = (typeof EXPIRABLE)[number];

/** What tests and the control endpoint can do to a running emulator. */
export interface Controls {
  /** Says what exists from now on; what has happened stays. Throws ZodError. */
  seed(seed: SeedInput): void;
  /** Adds faults behind those that wait. Throws ZodError. */
  faults(faults: Fault | Fault[]): void;
  clearFaults(): void;
  /** Ends all access tokens or all nonces at once, as if their time had come. */
  expire(what: Expirable): void;
  requests(): RequestRecord[];
  requestsOn(on: RouteName): RequestRecord[];
  createdTokens(): LinkToken[];
  state(): EmulatorState;
  /** Forgets all that has happened, the faults that wait, and every seed but the first. */
  reset(): void;
}

export function createControls(store: Store, faults: Faults): Controls {
  const firstSeed = store.seed;
  return {
    seed: (seed) => void (store.seed = parseSeed(seed)),
    faults: (list) => faults.add(parseFaults(list)),
    clearFaults: () => faults.clear(),
    expire: (what) => store[z.enum(EXPIRABLE).parse(what)].clear(),
    requests: () => structuredClone(store.requests),
    requestsOn: (on) => structuredClone(store.requests.filter((request) => request.on === on)),
    createdTokens: () => structuredClone(store.linkTokens),
    state: () => stateOf(store, faults),
    reset: () => {
      store.forget();
      faults.clear();
      store.seed = firstSeed;
    },
  };
}

function stateOf(store: Store, faults: Faults): EmulatorState {
  const { organizations, sourceOrganizations, serviceAccounts, apiKeys, settings } = store.seed;
  return structuredClone({
    organizations,
    sourceOrganizations,
    serviceAccounts: serviceAccounts.map(({ clientId, orgId, roles }) => {
      const liveAccessTokens = store.accessTokens.liveCount(clientId);
      return { clientId, orgId, roles, liveAccessTokens };
    }),
    apiKeys: apiKeys.map(({ publicKey, orgId, roles }) => ({ publicKey, orgId, roles })),
    settings,
    linkTokens: store.linkTokens,
    migrationLinks: [...store.migrationLinks.values()],
    faults: faults.list(),
  });
}
