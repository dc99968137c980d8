import { z } from 'zod';
import { requireOwner } from './authentication';
import { parseJsonBody } from './json-body';
import type { MigrationLink } from './link-tokens';
import { atlasError, noOrganizationLink, type RouteResponse } from './responses';
import type { AuthenticatedCall, Handler, Route } from './route';
import type { State } from './state';

const linkRequest = z.strictObject({ linkToken: z.string().min(1) });

function inSourceOrganization(
  handle: (call: AuthenticatedCall, sourceOrgId: string) => RouteResponse,
): Handler {
  return (call) => {
    const sourceOrgId = call.params['sourceOrgId'] ?? '';
    requireOwner(call.credential, sourceOrgId, call.state.seed.sourceOrganizations);
    return handle(call, sourceOrgId);
  };
}

/**
 * Posting the same link-token again changes nothing; another one takes its place. Neither is
 * documented.
 */
const connect = inSourceOrganization((call, sourceOrgId) => {
  const { linkTokens, migrationLinks, seed } = call.state;
  const { linkToken } = parseJsonBody(call, linkRequest);
  const created = linkTokens.findLive(linkToken);
  if (!created && !seed.settings.acceptUnknownLinkTokens) {
    const fields = [
      { description: 'is not a link-token of an Atlas organization', field: 'linkToken' },
    ];
    throw atlasError('VALIDATION_ERROR', { detail: 'The link-token is not valid.', fields });
  }
  const before = migrationLinks.get(sourceOrgId);
  const link: MigrationLink =
    before?.linkToken === linkToken
      ? before
      : {
          sourceOrgId,
          atlasOrgId: created?.orgId ?? null,
          linkToken,
          linkedAt: new Date().toISOString(),
          posts: 0,
          pollsLeft: seed.settings.pollsBeforeSynced,
        };
  link.posts += 1;
  migrationLinks.set(sourceOrgId, link);
  return statusOf(link, call.state);
});

const pollStatus = inSourceOrganization(({ state }, sourceOrgId) => {
  const link = state.migrationLinks.get(sourceOrgId);
  const response = statusOf(link, state);
  if (link && link.pollsLeft > 0) link.pollsLeft -= 1;
  return response;
});

const disconnect = inSourceOrganization(({ state }, sourceOrgId) => {
  if (state.migrationLinks.delete(sourceOrgId)) return { status: 204 };
  throw noOrganizationLink();
});

const listSourceOrganizations: Handler = ({ state, credential }) => {
  const visible = state.seed.sourceOrganizations.filter(({ id }) => id === credential.orgId);
  return { status: 200, body: { links: [], results: visible, totalCount: visible.length } };
};

function statusOf(link: MigrationLink | undefined, state: State): RouteResponse {
  const ageMs = Date.now() - Date.parse(link?.linkedAt ?? '');
  const synced =
    link?.pollsLeft === 0 &&
    ageMs >= state.seed.settings.syncDelayMs &&
    state.linkTokens.isLive(link);
  return { status: 200, body: { status: synced ? 'SYNCED' : 'NOT_SYNCED' } };
}

const ORGS = '/api/public/v1.0/orgs';
const LINK = `${ORGS}/:sourceOrgId/liveExport/migrationLink`;
const access = 'digest';

export const cloudManagerRoutes: Route[] = [
  { on: 'sourceOrgs', method: 'GET', url: ORGS, access, handle: listSourceOrganizations },
  { on: 'migrationLink', method: 'POST', url: LINK, access, handle: connect },
  { on: 'migrationLinkStatus', method: 'GET', url: `${LINK}/status`, access, handle: pollStatus },
  { on: 'deleteMigrationLink', method: 'DELETE', url: LINK, access, handle: disconnect },
];
