import { createHash } from 'node:crypto';
import { authenticate } from '../../../dev/atlas-emulator/authentication';
import { oauthRoutes } from '../../../dev/atlas-emulator/oauth';
import { RouteError } from '../../../dev/atlas-emulator/responses';
import type { Call } from '../../../dev/atlas-emulator/route';
import { parseSeed } from '../../../dev/atlas-emulator/seed';
import { State } from '../../../dev/atlas-emulator/state';
import { MAX_LINK_TOKEN_BYTES } from '../../../src/contract/limits';
import { ORG, OTHER_ORG, SOURCE_ORG } from '../../unit/samples';
import { nowMs } from './clock';
import { surroundings, type Reply, type SentRequest } from './network';

/*
 * Atlas: the parts of dev/atlas-emulator, which has what was recorded, in virtual time; and which
 * run made each key.
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

export const SECRETS = {
  clientId: 'mdb_sa_id_0',
  clientSecret: 'clientSecret',
  publicKey: 'publicKey',
  privateKey: 'privateKey',
  sourcePublicKey: 'source',
  sourcePrivateKey: 'sourcePrivateKey',
};

export const ACCESS_TOKEN_PATH = '/api/oauth/token';
export const MAX_KEYS = 500;

const name = 'organization';
const SEED = parseSeed({
  organizations: [ORG, OTHER_ORG].map((id) => ({ id, name })),
  sourceOrganizations: [{ id: SOURCE_ORG, name }],
  // The organization of a credential does not count here: both organizations share one.
  serviceAccounts: [{ clientId: SECRETS.clientId, clientSecret: SECRETS.clientSecret, orgId: ORG }],
  apiKeys: [
    { publicKey: SECRETS.publicKey, privateKey: SECRETS.privateKey, orgId: ORG },
    { publicKey: SECRETS.sourcePublicKey, privateKey: SECRETS.sourcePrivateKey, orgId: SOURCE_ORG },
  ],
  settings: { accessTokenLifetimeSeconds: 600, nonceLifetimeMs: 300_000 },
});

export const createState = () => new State(SEED);

/** Requires that a request is signed, by an access token or else by Digest. @throws RouteError */
export function requireSignature(request: SentRequest, access: 'atlas' | 'digest', state: State) {
  const { method, path: url } = request;
  authenticate({ method, url, headers: toNodeHeaders(request) }, access, state);
}

const toNodeHeaders = ({ headers }: SentRequest) =>
  Object.fromEntries(
    Object.entries(headers).map(([header, value]) => [header.toLowerCase(), value]),
  );

/** Replies with the error that a part of the emulator throws. */
export function replyTo(serve: () => Reply): Reply {
  try {
    return serve();
  } catch (error) {
    if (error instanceof RouteError) return error.response as Reply;
    throw error;
  }
}

const refusal = (status: number, errorCode: string): Reply => ({
  status,
  body: { error: status, errorCode, detail: errorCode },
});

/** Whose request makes a key. */
type Maker = Pick<Key, 'runId' | 'attemptOverMs'>;

/** @param onKey is called for each key that is made. */
export function createAtlas(findMaker: () => Maker, onKey: (key: Key) => void) {
  const keys: Key[] = [];
  const sessionsEndedMs: number[] = [];
  /** Of each organization. */
  const limits = { keys: MAX_KEYS };
  const state = createState();

  function makeKey(orgId: string, maker: Maker, body = '{}'): Key {
    const { accessListIps = [] } = JSON.parse(body) as { accessListIps?: string[] };
    const sender = { credential: SECRETS.clientId, address: '' };
    const made = state.linkTokens.create({ orgId, orgName: name }, accessListIps, sender);
    const { linkToken, apiKey } = made;
    const tokenSha256 = createHash('sha256').update(linkToken).digest('hex');
    const key: Key = {
      ...apiKey,
      ...maker,
      orgId,
      madeMs: nowMs(),
      isOwner: true,
      linkToken,
      tokenSha256,
      accessListIps,
    };
    keys.push(key);
    onKey(key);
    return key;
  }

  function issueAccessToken(request: SentRequest): Reply {
    const { body, path, process } = request;
    const call: Call = {
      state,
      path,
      body,
      address: process.name,
      params: {},
      query: {},
      headers: toNodeHeaders(request),
    };
    const route = oauthRoutes.find(({ url }) => url === path);
    return (route as { handle: (call: Call) => object }).handle(call) as Reply;
  }

  return {
    keys,
    limits,
    makeKeyByHand: (orgId: string) => makeKey(orgId, { runId: null, attemptOverMs: Infinity }),
    sessionsEndedMs,
    /** Ends every access token and every nonce. */
    endSessions(): void {
      sessionsEndedMs.push(nowMs());
      state.accessTokens.expire();
      state.nonces.expire();
    },

    serve: (request: SentRequest) =>
      replyTo(() => {
        const { path } = request;
        if (path === ACCESS_TOKEN_PATH) return issueAccessToken(request);
        requireSignature(request, 'atlas', state);
        const [, orgId = '', resource] = /orgs\/(\w+)\/liveMigrations\/(\w+)/.exec(path) ?? [];
        if (resource === 'availableProjects') return { status: 200, body: '[]' };
        const ofOrg = keys.filter((one) => one.orgId === orgId);
        if (ofOrg.length >= limits.keys) return refusal(400, 'MAX_API_KEYS_PER_ORG_EXCEEDED');
        const key = makeKey(orgId, findMaker(), request.body);
        const status = surroundings.network?.tape.pick([201, 201, 201, 200]) ?? 201;
        return { status, body: { linkToken: key.linkToken } };
      }),
  };
}

/** Responses to a link-token request that end its run. */
export const FINAL_REPLIES: readonly Reply[] = [
  refusal(403, 'ORG_REQUIRES_ACCESS_LIST'),
  { status: 201, body: {} },
  { status: 201, body: { linkToken: 'x'.repeat(MAX_LINK_TOKEN_BYTES) } },
];
