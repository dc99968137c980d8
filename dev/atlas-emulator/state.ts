import { AccessTokens } from './access-tokens';
import { FaultQueue, type RouteName } from './faults';
import { LinkTokens, type MigrationLink } from './link-tokens';
import { Nonces } from './nonces';
import { RequestBudgets } from './rate-limit';
import type { Seed } from './seed';

export interface RequestRecord {
  on: RouteName | 'unknown';
  method: string;
  path: string;
  /** Null until the response, and for good when the connection was reset before one. */
  status: number | null;
  /**
   * True when the response was a Digest challenge: such a request is not an attempt, and created
   * nothing.
   */
  challenge: boolean;
  startedAt: string;
}

/** The seed, and everything that has happened since. */
export class State {
  requests: RequestRecord[] = [];
  linkTokens = new LinkTokens();
  migrationLinks = new Map<string, MigrationLink>();
  accessTokens = new AccessTokens();
  nonces = new Nonces();
  budgets = new RequestBudgets();
  faults = new FaultQueue();

  constructor(
    private readonly firstSeed: Seed,
    public seed = firstSeed,
  ) {}

  reset(): void {
    Object.assign(this, new State(this.firstSeed));
  }

  /** Returns the state for tests. Its only secrets are the link-tokens. */
  visible() {
    const { serviceAccounts, apiKeys, ...seed } = this.seed;
    return structuredClone({
      ...seed,
      serviceAccounts: serviceAccounts.map(({ clientId, orgId, roles }) => {
        return { clientId, orgId, roles, liveAccessTokens: this.accessTokens.countLive(clientId) };
      }),
      apiKeys: apiKeys.map(({ publicKey, orgId, roles }) => ({ publicKey, orgId, roles })),
      linkTokens: this.linkTokens.all,
      migrationLinks: [...this.migrationLinks.values()],
      faults: this.faults.list(),
    });
  }
}
