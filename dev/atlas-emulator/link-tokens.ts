import { randomBytes, randomInt, randomUUID } from 'node:crypto';

interface LinkToken {
  linkToken: string;
  orgId: string;
  accessListIps: string[];
  /** Client id or public key. */
  credential: string;
  /** Address of the request. */
  address: string;
  createdAt: string;
  /** The API key that it embeds. */
  apiKey: { id: string; publicKey: string; desc: string };
  /** When its API key was deleted. */
  removedAt: string | null;
  /** False once the organization's link was removed. */
  isLinked: boolean;
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

/**
 * The link-tokens that were created, and which of them live. The forms of a token and of its key,
 * and that DELETE removes one key and leaves older ones, are those of the end-to-end recordings of
 * MongoDB's Atlas CLI (TestLinkToken and TestAtlasOrgAPIKeys in mongodb/mongodb-atlas-cli). It is
 * our choice that DELETE removes the newest key, and disconnects the sources of every token.
 */
export class LinkTokens {
  readonly all: LinkToken[] = [];
  /** Creates a link-token and its API key. */
  create(
    { orgId, orgName }: { orgId: string; orgName: string },
    accessListIps: string[],
    { credential, address }: { credential: string; address: string },
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
      address,
      createdAt: createdAt.toISOString(),
      apiKey: {
        id: newObjectId(createdAt),
        publicKey,
        desc: `Atlas Migration Service Key - ${suffix}`,
      },
      removedAt: null,
      isLinked: true,
    };
    this.all.push(created);
    return created;
  }

  /** Removes the organization's link, with one API key. Returns whether there was a link. */
  removeLink(orgId: string): boolean {
    const linked = this.keptOf(orgId).filter(({ isLinked }) => isLinked);
    const newest = linked.at(-1);
    if (!newest) return false;
    for (const token of linked) token.isLinked = false;
    newest.removedAt = new Date().toISOString();
    return true;
  }

  /** Returns the tokens whose API key exists. */
  keptOf(orgId: string): LinkToken[] {
    return this.all.filter((token) => token.orgId === orgId && token.removedAt === null);
  }

  /** Finds a token that connects its organization with a source. */
  findLive(linkToken: string): LinkToken | undefined {
    return this.all.find((token) => {
      return token.linkToken === linkToken && token.removedAt === null && token.isLinked;
    });
  }

  /** Finds out that the link-token of a link has not been removed. */
  isLive({ linkToken, atlasOrgId }: MigrationLink): boolean {
    return atlasOrgId === null || this.findLive(linkToken) !== undefined;
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
