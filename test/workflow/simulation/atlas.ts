import { createHash } from 'node:crypto';
import { LinkTokens } from '../../../dev/atlas-emulator/link-tokens';
import { MAX_LINK_TOKEN_BYTES } from '../../../src/contract/limits';
import { surroundings, type Reply, type SentRequest } from './network';

/*
 * Atlas: the tokens of dev/atlas-emulator, in virtual time; and which run made each key. It accepts
 * every request as authenticated: test/unit/atlas and test/unit/http try the credentials.
 */

export interface Key {
  id: string;
  orgId: string;
  madeMs: number;
  /** The run whose attempt made it; null for one by hand. */
  runId: string | null;
  /** When Temporal took its attempt for over; Infinity while that is under way. */
  attemptOverMs: number;
  /** The run that deleted it; null while it exists. */
  deletedBy: string | null;
  publicKey: string;
  desc: string;
  isOwner: boolean;
  linkToken: string;
  tokenSha256: string;
  accessListIps: unknown;
}

/** Whose request makes a key. */
type Maker = Pick<Key, 'runId' | 'attemptOverMs'>;

/** @param onKey is called for each key that is made. */
export function createAtlas(
  findMaker: () => Maker,
  onKey: (key: Key) => void,
  onDelete: (key: Key) => void,
) {
  const keys: Key[] = [];
  const linkTokens = new LinkTokens();

  function makeKey(orgId: string, maker: Maker, body = '{}'): Key {
    const { accessListIps = [] } = JSON.parse(body) as { accessListIps?: string[] };
    const organization = { orgId, orgName: 'organization' };
    const sender = { credential: '', address: '' };
    const { linkToken, apiKey } = linkTokens.create(organization, accessListIps, sender);
    const tokenSha256 = createHash('sha256').update(linkToken).digest('hex');
    const key: Key = {
      ...apiKey,
      ...maker,
      orgId,
      madeMs: Date.now(),
      deletedBy: null,
      isOwner: true,
      linkToken,
      tokenSha256,
      accessListIps,
    };
    keys.push(key);
    onKey(key);
    return key;
  }

  return {
    keys,
    makeKeyByHand: (orgId: string) => makeKey(orgId, { runId: null, attemptOverMs: Infinity }),

    serve: ({ method, path, body }: SentRequest): Reply => {
      if (path === '/api/oauth/token') {
        return { status: 200, json: { access_token: 'accessToken', expires_in: 600 } };
      }
      const [, ofOrg = '', keyId] = /orgs\/(\w+)\/apiKeys\/?(\w*)/.exec(path) ?? [];
      const kept = keys.filter((key) => key.orgId === ofOrg && key.deletedBy === null);
      if (method === 'DELETE') {
        const key = kept.find(({ id }) => id === keyId);
        if (!key) return { status: 404 };
        key.deletedBy = findMaker().runId;
        onDelete(key);
        return { status: 204 };
      }
      if (ofOrg) {
        const results = kept.map(({ id, publicKey, desc }) => ({ id, publicKey, desc }));
        return { status: 200, json: { results, totalCount: results.length } };
      }
      const [, orgId = '', resource] = /orgs\/(\w+)\/liveMigrations\/(\w+)/.exec(path) ?? [];
      if (resource === 'availableProjects') return { status: 200, json: [] };
      const { linkToken } = makeKey(orgId, findMaker(), body);
      const status = surroundings.network?.tape.pick([201, 201, 201, 200]) ?? 201;
      return { status, json: { linkToken } };
    },
  };
}

/** Responses to a link-token request that end its run. */
export const FINAL_REPLIES: readonly Reply[] = [
  { status: 403, json: { error: 403, errorCode: 'ORG_REQUIRES_ACCESS_LIST' } },
  { status: 201, json: {} },
  { status: 201, json: { linkToken: 'x'.repeat(MAX_LINK_TOKEN_BYTES) } },
];
