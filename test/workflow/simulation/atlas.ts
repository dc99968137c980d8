import { createHash, randomUUID } from 'node:crypto';
import { MAX_LINK_TOKEN_BYTES } from '../../../src/contract/limits';
import { nowMs } from './clock';
import { surroundings, type Reply, type SentRequest } from './network';

/*
 * Atlas, and Cloud Manager's digest, which is the same: what they know of keys, access tokens and
 * nonces. Source: dev/atlas-emulator, which has what was recorded.
 */

export interface Key {
  id: string;
  orgId: string;
  madeMs: number;
  /** The run whose attempt made it; null for one by hand. */
  runId: string | null;
  /** When Temporal took its attempt for over; Infinity while that is under way. */
  attemptOverMs: number;
  publicKey: string;
  desc: string;
  isOwner: boolean;
  linkToken: string;
  tokenSha256: string;
  accessListIps: unknown;
}

/** None may be in a history, a memo, a log or an error. Access tokens and private keys begin so. */
export const CANARY = 'CANARY';
export const SECRETS = {
  clientId: 'mdb_sa_id_0',
  clientSecret: `${CANARY}_client_secret`,
  publicKey: 'publicKey',
  privateKey: `${CANARY}_private_key`,
};

export const ACCESS_TOKEN_PATH = '/api/oauth/token';
const ACCESS_TOKEN_MS = 600_000;
const ACCESS_TOKENS_A_MINUTE = 10;
const MAX_LIVE_ACCESS_TOKENS = 100;
export const MAX_KEYS = 500;
const NONCE_MS = 300_000;

const refusal = (status: number, errorCode: string, headers = {}): Reply => ({
  status,
  headers,
  body: { error: status, errorCode, detail: errorCode },
});

export type Atlas = ReturnType<typeof createAtlas>;

/** Whose request makes a key. */
type Maker = Pick<Key, 'runId' | 'attemptOverMs'>;

/** @param onKey is called for each key that is made. */
export function createAtlas(findMaker: () => Maker, onKey: (key: Key) => void) {
  const keys: Key[] = [];
  const accessTokens = new Map<string, { expiresMs: number }>();
  const tokenRequests: { process: string; atMs: number }[] = [];
  const sessionsEndedMs: number[] = [];
  /** Of each organization. */
  const limits = { keys: MAX_KEYS };
  const digest = createDigestServer();

  function makeKey(orgId: string, maker: Maker, body = '{}'): Key {
    // The first eight digits of a key's id are its second.
    const second = Math.floor(nowMs() / 1000).toString(16);
    const id = second + randomUUID().replaceAll('-', '').slice(0, 16);
    const publicKey = id.slice(16);
    // The private key is at a place where its text is in the token's, too.
    const content = { privateApiKey: `${CANARY}_${id}`, publicApiKey: publicKey };
    const linkToken = Buffer.from(JSON.stringify(content)).toString('base64');
    const desc = `Atlas Migration Service Key - ${id.slice(17)}`;
    const tokenSha256 = createHash('sha256').update(linkToken).digest('hex');
    const { accessListIps } = JSON.parse(body) as Partial<Key>;
    const facts = {
      id,
      orgId,
      madeMs: nowMs(),
      publicKey,
      desc,
      isOwner: true,
      linkToken,
      tokenSha256,
    };
    const key = { ...facts, ...maker, accessListIps };
    keys.push(key);
    onKey(key);
    return key;
  }

  function issueAccessToken({ process, headers }: SentRequest): Reply {
    const sent = Buffer.from(headers['Authorization']?.slice(6) ?? '', 'base64').toString();
    if (sent !== `${SECRETS.clientId}:${SECRETS.clientSecret}`) {
      return refusal(401, 'invalid_client');
    }
    const isRecent = ({ atMs, process: name }: { process: string; atMs: number }) =>
      name === process.name && atMs > nowMs() - 60_000;
    if (tokenRequests.filter(isRecent).length >= ACCESS_TOKENS_A_MINUTE) {
      return refusal(429, 'RATE_LIMITED');
    }
    tokenRequests.push({ process: process.name, atMs: nowMs() });
    if (accessTokens.size >= MAX_LIVE_ACCESS_TOKENS) return refusal(403, 'access_denied');
    const token = `${CANARY}_access_${accessTokens.size}_${randomUUID()}`;
    accessTokens.set(token, { expiresMs: nowMs() + ACCESS_TOKEN_MS });
    return { status: 200, body: { access_token: token, expires_in: ACCESS_TOKEN_MS / 1000 } };
  }

  function isAuthenticated(request: SentRequest): boolean {
    const [, bearer] = /^Bearer (.*)/.exec(request.headers['Authorization'] ?? '') ?? [];
    if (bearer === undefined) return digest.verify(request, SECRETS.publicKey, SECRETS.privateKey);
    return (accessTokens.get(bearer)?.expiresMs ?? 0) > nowMs();
  }

  return {
    keys,
    limits,
    makeKeyByHand: (orgId: string) => makeKey(orgId, { runId: null, attemptOverMs: Infinity }),
    sessionsEndedMs,
    /** Ends every access token and every nonce. */
    endSessions(): void {
      sessionsEndedMs.push(nowMs());
      accessTokens.clear();
      digest.forgetNonces();
    },
    worksForMs: (accessToken: string) => (accessTokens.get(accessToken)?.expiresMs ?? 0) - nowMs(),

    serve(request: SentRequest): Reply {
      const { path } = request;
      if (path === ACCESS_TOKEN_PATH) return issueAccessToken(request);
      if (!isAuthenticated(request)) {
        return refusal(401, 'USER_UNAUTHORIZED', { 'www-authenticate': digest.challenge(request) });
      }
      const [, orgId = '', resource] = /orgs\/(\w+)\/liveMigrations\/(\w+)/.exec(path) ?? [];
      if (resource === 'availableProjects') return { status: 200, body: '[]' };
      const ofOrg = keys.filter((one) => one.orgId === orgId);
      if (ofOrg.length >= limits.keys) return refusal(400, 'MAX_API_KEYS_PER_ORG_EXCEEDED');
      const key = makeKey(orgId, findMaker(), request.body);
      const status = surroundings.network?.tape.pick([201, 201, 201, 200]) ?? 201;
      return { status, body: { linkToken: key.linkToken } };
    },
  };
}

/** Responses to a link-token request that end its run. */
export const FINAL_REPLIES: readonly Reply[] = [
  refusal(403, 'ORG_REQUIRES_ACCESS_LIST'),
  { status: 201, body: {} },
  { status: 201, body: { linkToken: `${CANARY}${'x'.repeat(MAX_LINK_TOKEN_BYTES)}` } },
];

const md5 = (...parts: unknown[]) => createHash('md5').update(parts.join(':')).digest('hex');

/** HTTP Digest (RFC 7616) with MD5 and qop=auth. A count is good once for each nonce. */
export function createDigestServer() {
  const realm = 'MMS Public API';
  const nonces = new Map<string, { endMs: number; counts: Set<string> }>();

  return {
    forgetNonces: () => nonces.clear(),
    challenge({ headers }: SentRequest): string {
      const nonce = randomUUID();
      nonces.set(nonce, { endMs: nowMs() + NONCE_MS, counts: new Set() });
      const [, sent] = / nonce="([^"]+)"/.exec(headers['Authorization'] ?? '') ?? [];
      const stale = sent !== undefined && (nonces.get(sent)?.endMs ?? 0) <= nowMs();
      return `Digest realm="${realm}", nonce="${nonce}", algorithm=MD5, qop="auth", stale=${stale}`;
    },
    verify({ method, path, headers }: SentRequest, publicKey: string, privateKey: string): boolean {
      const pairs = [...(headers['Authorization'] ?? '').matchAll(/(\w+)="?([^",]*)"?/g)];
      const sent: Record<string, string | undefined> = Object.fromEntries(
        pairs.map(([, name = '', value]) => [name, value]),
      );
      const { nonce = '', nc = '', cnonce, response } = sent;
      const known = nonces.get(nonce);
      if (!known || known.endMs <= nowMs() || known.counts.has(nc)) return false;
      known.counts.add(nc);
      const secret = md5(publicKey, realm, privateKey);
      return response === md5(secret, nonce, nc, cnonce, 'auth', md5(method, path));
    },
  };
}
