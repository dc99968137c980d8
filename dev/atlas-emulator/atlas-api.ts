import { isIP } from 'node:net';
import { z } from 'zod';
import type { Answer } from './answer';
import { requireOwner } from './authenticate';
import { atlasError, noOrganizationLink } from './errors';
import { parseBody } from './request-body';
import type { AuthenticatedCall, Handle, Route } from './route';
import { requireJson, requireVersion, VERSIONED_JSON } from './versions';

const linkTokenRequest = z.strictObject({ accessListIps: z.array(z.string()).nullish() });

/** What every resource below an organization asks for first: version, owner, budget. */
function inOrganization(handle: (call: AuthenticatedCall, orgId: string) => Answer): Handle {
  return (call) => {
    const { store, credential, headers, params } = call;
    const { organizations, settings } = store.seed;
    const { rateLimit } = settings;
    const orgId = params['orgId'] ?? '';
    requireVersion(headers, settings.withdrawnVersions);
    requireOwner(credential, orgId, organizations);
    const budget = store.buckets.take(orgId, rateLimit);
    const limits = {
      'RateLimit-Limit': String(rateLimit.capacity),
      'RateLimit-Remaining': String(budget.remaining),
    };
    if (!budget.allowed) {
      const wait = rateLimit.sendRetryAfter && { 'Retry-After': String(budget.retryAfterSeconds) };
      throw atlasError('RATE_LIMITED', { headers: { ...limits, ...wait } });
    }
    return { contentType: VERSIONED_JSON, ...handle(call, orgId), headers: limits };
  };
}

/** 201, though the published page says 200: so it was recorded. */
const createLinkToken = inOrganization(({ store, credential, headers, body }, orgId) => {
  requireJson(headers);
  const addresses = parseBody(body, linkTokenRequest).accessListIps ?? [];
  const { rejectIpv6 } = store.seed.settings;
  for (const address of addresses) {
    const parameters = [address];
    if (!isAddressOrBlock(address)) throw atlasError('INVALID_IP_ADDRESS_OR_CIDR_NOTATION', { parameters });
    if (rejectIpv6 && address.includes(':')) throw atlasError('IPV6_UNSUPPORTED', { parameters });
  }
  const { linkToken } = store.createLinkToken(orgId, addresses, credential.id);
  return { status: 201, body: { linkToken } };
});

const PREFIX_LENGTHS: Record<number, number> = { 4: 32, 6: 128 };

function isAddressOrBlock(text: string): boolean {
  const [address = '', prefix = '0', ...rest] = text.split('/');
  const longest = PREFIX_LENGTHS[isIP(address)];
  return longest !== undefined && rest.length === 0 && /^\d{1,3}$/.test(prefix) && Number(prefix) <= longest;
}

const deleteLinkTokens = inOrganization(({ store }, orgId) => {
  if (store.removeLinkTokens(orgId)) return { status: 204 };
  throw noOrganizationLink();
});

const listAvailableProjects = inOrganization(() => ({ status: 200, body: [] }));

/** The organizations the credential can see, which is its own. */
function listOrganizations({ store, credential, headers, query }: AuthenticatedCall): Answer {
  requireVersion(headers, store.seed.settings.withdrawnVersions);
  const visible = store.seed.organizations.filter(({ id }) => id === credential.orgId);
  const { itemsPerPage = 100, pageNum = 1 } = query;
  const end = Number(pageNum) * Number(itemsPerPage);
  const page = visible.slice(end - Number(itemsPerPage), end);
  const results = page.map(({ id, name }) => ({ id, isDeleted: false, links: [], name }));
  const body = { links: [], results, totalCount: visible.length };
  return { status: 200, contentType: VERSIONED_JSON, body };
}

const ORGS = '/api/atlas/v2/orgs';
const LINK_TOKENS = `${ORGS}/:orgId/liveMigrations/linkTokens`;
const PROJECTS = `${ORGS}/:orgId/liveMigrations/availableProjects`;
const access = 'atlas';

export const atlasRoutes: Route[] = [
  { on: 'linkTokens', method: 'POST', url: LINK_TOKENS, access, handle: createLinkToken },
  { on: 'deleteLinkTokens', method: 'DELETE', url: LINK_TOKENS, access, handle: deleteLinkTokens },
  { on: 'availableProjects', method: 'GET', url: PROJECTS, access, handle: listAvailableProjects },
  { on: 'orgs', method: 'GET', url: ORGS, access, handle: listOrganizations },
];
