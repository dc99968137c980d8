import { randomBytes } from 'node:crypto';
import { AccessTokens } from './access-tokens';
import { Nonces } from './nonces';
import { Buckets } from './rate-limit';
import type { RouteName } from './route-names';
import type { Seed } from './seed';

export interface LinkToken {
  linkToken: string;
  orgId: string;
  accessListIps: string[];
  /** Client id or public key. */
  credential: string;
  createdAt: string;
  removed: boolean;
}

export interface MigrationLink {
  sourceOrgId: string;
  /** Null when the link-token was not created here. */
  atlasOrgId: string | null;
  linkToken: string;
  linkedAt: string;
  /** How often this link-token was posted. */
  posts: number;
  pollsLeft: number;
}

export interface RequestRecord {
  on: RouteName | 'unknown';
  method: string;
  path: string;
  /** Null while unanswered, and for good when the connection was reset before an answer. */
  status: number | null;
  /** Whether it was answered with a Digest challenge: not an attempt, and nothing was created. */
  challenge: boolean;
  startedAt: string;
}

/** What exists (the seed) and what has happened. */
export class Store {
  readonly accessTokens = new AccessTokens();
  readonly nonces = new Nonces();
  readonly buckets = new Buckets();
  readonly migrationLinks = new Map<string, MigrationLink>();
  linkTokens: LinkToken[] = [];
  requests: RequestRecord[] = [];

  constructor(public seed: Seed) {}

  /** Opaque, and about as long as a real one, which embeds an API key. */
  createLinkToken(orgId: string, accessListIps: string[], credential: string): LinkToken {
    const created: LinkToken = {
      linkToken: randomBytes(258).toString('base64'),
      orgId,
      accessListIps,
      credential,
      createdAt: new Date().toISOString(),
      removed: false,
    };
    this.linkTokens.push(created);
    return created;
  }

  /** Removes the organization's link: every link-token of it. Returns whether there was one. */
  removeLinkTokens(orgId: string): boolean {
    const live = this.linkTokens.filter((token) => token.orgId === orgId && !token.removed);
    for (const token of live) token.removed = true;
    return live.length > 0;
  }

  forget(): void {
    this.accessTokens.clear();
    this.nonces.clear();
    this.buckets.clear();
    this.migrationLinks.clear();
    this.linkTokens = [];
    this.requests = [];
  }
}
