import type { IncomingHttpHeaders } from 'node:http';
import { isIP } from 'node:net';
import { z } from 'zod';
import { requireOwner } from './authentication';
import { parseJsonBody } from './json-body';
import { rateLimited } from './rate-limit';
import { atlasError, noOrganizationLink, RouteError, type RouteResponse } from './responses';
import type { AuthenticatedCall, Call, Handler, Route } from './route';

/** The one version the emulated resources have; a later date resolves to it. */
const VERSION = '2023-01-01';
const VERSIONED_JSON = `application/vnd.atlas.${VERSION}+json;charset=utf-8`;

/** Throws RouteError: 406 for no or an unknown version in Accept, 410 for a withdrawn one. */
function requireVersion({ accept = '' }: IncomingHttpHeaders, withdrawn: string[]): void {
  const requested = accept
    .split(',')
    .map(
      (type) => /^\s*application\/vnd\.atlas\.(\d{4}-\d{2}-\d{2})\+json\s*(;|$)/i.exec(type)?.[1],
    )
    .find((date) => date !== undefined && !Number.isNaN(Date.parse(date)));
  if (requested === undefined) throw atlasError('INVALID_VERSION_DATE');
  const resolved = requested >= VERSION ? VERSION : undefined;
  const gone = withdrawn.find((date) => date === requested || date === resolved);
  if (gone !== undefined) throw atlasError('VERSION_GONE', { parameters: [gone] });
  if (resolved === undefined) throw atlasError('INVALID_VERSION_DATE');
}

/**
 * Checks that every resource below an organization makes first: version, owner, rate limit. Errors
 * of the resource have the headers of the limit too, as recorded.
 */
export function inOrganization(
  handle: (call: AuthenticatedCall, orgId: string) => RouteResponse,
): Handler {
  return (call) => {
    const { state, credential, path, headers, params } = call;
    const { organizations, settings } = state.seed;
    const orgId = params['orgId'] ?? '';
    requireVersion(headers, settings.withdrawnVersions);
    requireOwner(credential, orgId, organizations);
    const { allowed, remaining, retryAfterSeconds } = state.budgets.take(orgId, settings.rateLimit);
    const limits = {
      'RateLimit-Limit': String(settings.rateLimit.capacity),
      'RateLimit-Remaining': String(remaining),
    };
    if (!allowed) {
      const wait = settings.rateLimit.sendRetryAfter && {
        'Retry-After': String(retryAfterSeconds),
      };
      throw rateLimited(path, settings.rateLimit, retryAfterSeconds, { ...limits, ...wait });
    }
    try {
      return { contentType: VERSIONED_JSON, ...handle(call, orgId), headers: limits };
    } catch (error) {
      if (error instanceof RouteError) error.response.headers = limits;
      throw error;
    }
  };
}

const linkTokenRequest = z.strictObject({ accessListIps: z.array(z.string()).nullish() });

/** 201, as recorded, though the published page says 200. */
const createLinkToken = inOrganization((call, orgId) => {
  const { state, credential, address: sender } = call;
  const addresses = parseJsonBody(call, linkTokenRequest).accessListIps ?? [];
  for (const address of addresses) {
    const parameters = [address];
    if (!isAddressOrBlock(address)) {
      throw atlasError('INVALID_IP_ADDRESS_OR_CIDR_NOTATION', { parameters });
    }
    if (state.seed.settings.rejectIpv6 && address.includes(':')) {
      throw atlasError('IPV6_UNSUPPORTED', { parameters });
    }
  }
  const orgName = state.seed.organizations.find(({ id }) => id === orgId)?.name ?? '';
  const { linkToken } = state.linkTokens.create({ orgId, orgName }, addresses, {
    credential: credential.id,
    address: sender,
  });
  return { status: 201, body: { linkToken } };
});

const PREFIX_LENGTHS: Record<number, number> = { 4: 32, 6: 128 };

function isAddressOrBlock(text: string): boolean {
  const [address = '', prefix = '0', ...rest] = text.split('/');
  const longest = PREFIX_LENGTHS[isIP(address)];
  return (
    longest !== undefined &&
    rest.length === 0 &&
    /^\d{1,3}$/.test(prefix) &&
    Number(prefix) <= longest
  );
}

const deleteLinkTokens = inOrganization(({ state }, orgId) => {
  if (state.linkTokens.removeLink(orgId)) return { status: 204 };
  throw noOrganizationLink();
});

/** Projects that only a linked source can supply: one for each link. */
const listAvailableProjects = inOrganization(({ state }, orgId) => {
  const links = [...state.migrationLinks.values()].filter(
    (link) => link.atlasOrgId === orgId && state.linkTokens.isLive(link),
  );
  if (links.length === 0 && state.seed.settings.projectsWithoutLink === 'notFound') {
    throw noOrganizationLink();
  }
  const body = links.map(({ sourceOrgId }) => ({
    projectId: sourceOrgId,
    name: `Project of ${sourceOrgId}`,
    deployments: [],
    migrationHosts: [],
  }));
  return { status: 200, body };
});

/** The organizations the credential can see, which is its own. */
function listOrganizations({
  state,
  credential,
  headers,
  query,
}: AuthenticatedCall): RouteResponse {
  requireVersion(headers, state.seed.settings.withdrawnVersions);
  const visible = state.seed.organizations.filter(({ id }) => id === credential.orgId);
  const results = visible.map(({ id, name }) => ({ id, isDeleted: false, links: [], name }));
  return { status: 200, contentType: VERSIONED_JSON, body: paginate(results, query) };
}

/** Takes the page that the query requests. */
export function paginate(
  all: readonly object[],
  { itemsPerPage = '100', pageNum = '1' }: Call['query'],
) {
  const end = Number(pageNum) * Number(itemsPerPage);
  return { links: [], results: all.slice(end - Number(itemsPerPage), end), totalCount: all.length };
}

export const ORGS = '/api/atlas/v2/orgs';
const LINK_TOKENS = `${ORGS}/:orgId/liveMigrations/linkTokens`;
const PROJECTS = `${ORGS}/:orgId/liveMigrations/availableProjects`;
const access = 'atlas';

export const atlasRoutes: Route[] = [
  { on: 'linkTokens', method: 'POST', url: LINK_TOKENS, access, handle: createLinkToken },
  { on: 'deleteLinkTokens', method: 'DELETE', url: LINK_TOKENS, access, handle: deleteLinkTokens },
  { on: 'availableProjects', method: 'GET', url: PROJECTS, access, handle: listAvailableProjects },
  { on: 'orgs', method: 'GET', url: ORGS, access, handle: listOrganizations },
];
