import { randomBytes, randomInt, randomUUID } from 'node:crypto';

interface LinkToken {
  linkToken: string;
  orgId: string;
  accessListIps: string[];
  /** Client id or public key. */
  credential: string;
  createdAt: string;
  /** The API key that it embeds. */
  apiKey: { id: string; publicKey: string; desc: string };
  removedAt: string | null;
}

export interface MigrationLink {
  sourceOrgId: string;
  /** Null when the link-token was not created here. */
  atlasOrgId: string | null;
  linkToken: string;
  linkedAt: string;
  /** Number of times that this link-token was posted. */
  posts: number;
  pollsLeft: number;
}

/** The link-tokens that were created, and which of them live. */
export class LinkTokens {
  readonly all: LinkToken[] = [];

  /** Creates a link-token and its API key, both with the form of recorded ones. */
  create(
    { orgId, orgName }: { orgId: string; orgName: string },
    accessListIps: string[],
    credential: string,
  ): LinkToken {
    const createdAt = new Date();
    const publicKey = newPublicKey();
    const content = { orgId, orgName, privateApiKey: randomUUID(), publicApiKey: publicKey };
    const suffix = randomBytes(4).toString('hex').slice(1);
    const created: LinkToken = {
      linkToken: Buffer.from(JSON.stringify(content)).toString('base64'),
      orgId,
      accessListIps,
      credential,
      createdAt: createdAt.toISOString(),
      apiKey: {
        id: newObjectId(createdAt),
        publicKey,
        desc: `Atlas Migration Service Key - ${suffix}`,
      },
      removedAt: null,
    };
    this.all.push(created);
    return created;
  }

  /** Removes the organization's link: every link-token of it. Returns whether there was one. */
  remove(orgId: string): boolean {
    const live = this.liveOf(orgId);
    for (const token of live) token.removedAt = new Date().toISOString();
    return live.length > 0;
  }

  liveOf(orgId: string): LinkToken[] {
    return this.all.filter((token) => token.orgId === orgId && token.removedAt === null);
  }

  findLive(linkToken: string): LinkToken | undefined {
    return this.all.find((token) => token.linkToken === linkToken && token.removedAt === null);
  }

  /** Finds out that the link-token of a link has not been removed. */
  isLive({ linkToken, atlasOrgId }: MigrationLink): boolean {
    return (
      atlasOrgId === null || this.liveOf(atlasOrgId).some((token) => token.linkToken === linkToken)
    );
  }
}

/** Eight lower-case letters. */
function newPublicKey(): string {
  const letters = Array.from({ length: 8 }, () => randomInt(10, 36).toString(36));
  return letters.join('');
}

/** An ObjectId: the seconds since 1970 in eight hexadecimal digits, then 16 others. */
function newObjectId(at: Date): string {
  return Math.floor(at.getTime() / 1000).toString(16) + randomBytes(8).toString('hex');
}
