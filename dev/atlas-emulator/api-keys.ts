import { createHash } from 'node:crypto';
import { inOrganization, ORGS, paginate } from './atlas-api';
import { atlasError } from './responses';
import type { Call, Route } from './route';
import type { Seed } from './seed';
import type { State } from './state';

// The fields of keys and events are those of MongoDB's recordings (link-tokens.ts). What an event
// says of a service account is not recorded: here it names none.

interface Key {
  id: string;
  publicKey: string;
  desc: string;
  roles: readonly string[];
  accessList: readonly string[];
}

function keysOf(state: State, orgId: string): Key[] {
  const seeded = state.seed.apiKeys.filter((key) => key.orgId === orgId);
  return [
    ...seeded.map((key) => ({ ...key, id: seededKeyId(key), accessList: [] })),
    ...state.linkTokens.keptOf(orgId).map(({ apiKey, accessListIps }) => ({
      ...apiKey,
      roles: ['ORG_OWNER'],
      accessList: accessListIps,
    })),
  ];
}

/** @throws RouteError for an unknown key. */
function findKey({ state, params: { apiUserId = '' } }: Call, orgId: string): Key {
  const key = keysOf(state, orgId).find(({ id }) => id === apiUserId);
  if (key) return key;
  throw atlasError('RESOURCE_NOT_FOUND', { parameters: [apiUserId] });
}

/** The id of a key from long before. */
function seededKeyId({ publicKey }: Pick<Seed['apiKeys'][number], 'publicKey'>): string {
  return `64f1c0de${createHash('sha256').update(publicKey).digest('hex').slice(0, 16)}`;
}

const listApiKeys = inOrganization(({ state, query }, orgId) => {
  const results = keysOf(state, orgId).map((key) => describeKey(key, orgId));
  return { status: 200, body: paginate(results, query) };
});

const describeApiKey = inOrganization((call, orgId) => {
  return { status: 200, body: describeKey(findKey(call, orgId), orgId) };
});

function describeKey({ id, publicKey, desc, roles }: Key, orgId: string) {
  return {
    desc,
    id,
    links: [],
    privateKey: `********-****-****-${id.slice(12)}`,
    publicKey,
    roles: roles.map((roleName) => ({ orgId, roleName })),
  };
}

const listAccessList = inOrganization((call, orgId) => {
  const entries = findKey(call, orgId).accessList.map((entry) => {
    const common = { count: 0, links: [] };
    if (entry.includes('/')) return { ...common, cidrBlock: entry };
    const cidrBlock = `${entry}/${entry.includes(':') ? 128 : 32}`;
    return { ...common, cidrBlock, ipAddress: entry };
  });
  return { status: 200, body: paginate(entries, call.query) };
});

/** Deletes a key, and so makes the link-token that embeds it useless. */
const deleteApiKey = inOrganization((call, orgId) => {
  const { state } = call;
  const { id } = findKey(call, orgId);
  const token = state.linkTokens.keptOf(orgId).find(({ apiKey }) => apiKey.id === id);
  if (token) token.removedAt = new Date().toISOString();
  const apiKeys = state.seed.apiKeys.filter((key) => seededKeyId(key) !== id);
  state.seed = { ...state.seed, apiKeys };
  return { status: 204 };
});

const listEvents = inOrganization(({ state, query }, orgId) => {
  const { minDate = '1970-01-01', maxDate = '9999-12-31' } = query;
  const events = state.linkTokens.all
    .filter((token) => token.orgId === orgId)
    .flatMap((token) => {
      const { apiKey, address, createdAt, removedAt } = token;
      const maker = state.seed.apiKeys.find(({ publicKey }) => publicKey === token.credential);
      const actor = { ...(maker && describeActor(maker)), remoteAddress: address };
      const creation = { type: 'API_KEY_CREATED', at: createdAt, apiKey, actor };
      if (removedAt === null) return [creation];
      // Who removed it is not kept.
      return [creation, { type: 'API_KEY_DELETED', at: removedAt, apiKey, actor: {} }];
    })
    .filter(
      ({ at }) => Date.parse(minDate) <= Date.parse(at) && Date.parse(at) <= Date.parse(maxDate),
    )
    .map(({ type, at, apiKey, actor }) => ({
      ...actor,
      created: `${at.slice(0, 19)}Z`,
      eventTypeName: type,
      id: createHash('sha256').update(`${type} ${apiKey.id}`).digest('hex').slice(0, 24),
      isGlobalAdmin: false,
      links: [],
      orgId,
      targetPublicKey: apiKey.publicKey,
    }));
  return { status: 200, body: paginate(events, query) };
});

function describeActor(key: Seed['apiKeys'][number]) {
  return { apiKeyId: seededKeyId(key), publicKey: key.publicKey };
}

const KEYS = `${ORGS}/:orgId/apiKeys`;
const access = 'atlas';

export const apiKeyRoutes: Route[] = [
  { on: 'apiKeys', method: 'GET', url: KEYS, access, handle: listApiKeys },
  { on: 'apiKey', method: 'GET', url: `${KEYS}/:apiUserId`, access, handle: describeApiKey },
  { on: 'deleteApiKey', method: 'DELETE', url: `${KEYS}/:apiUserId`, access, handle: deleteApiKey },
  {
    on: 'accessList',
    method: 'GET',
    url: `${KEYS}/:apiUserId/accessList`,
    access,
    handle: listAccessList,
  },
  { on: 'events', method: 'GET', url: `${ORGS}/:orgId/events`, access, handle: listEvents },
];
