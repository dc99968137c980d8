import { z } from 'zod';
import type { Answer } from './answer';
import { requireOwner } from './authenticate';
import { atlasError, noOrganizationLink } from './errors';
import { parseBody } from './request-body';
import type { AuthenticatedCall, Handle, Route } from './route';
import type { Settings } from './seed';
import type { MigrationLink } from './store';
import { requireJson } from './versions';

const linkRequest = z.strictObject({ linkToken: z.string().min(1) });

function inSourceOrganization(handle: (call: AuthenticatedCall, sourceOrgId: string) => Answer): Handle {
  return (call) => {
    const sourceOrgId = call.params['sourceOrgId'] ?? '';
    requireOwner(call.credential, sourceOrgId, call.store.seed.sourceOrganizations);
    return handle(call, sourceOrgId);
  };
}

/** Posting the same link-token again changes nothing; another one takes its place. */
const connect = inSourceOrganization(({ store, headers, body }, sourceOrgId) => {
  requireJson(headers);
  const { linkToken } = parseBody(body, linkRequest);
  const { settings } = store.seed;
  const created = store.linkTokens.find((token) => token.linkToken === linkToken && !token.removed);
  if (!created && !settings.acceptUnknownLinkTokens) {
    const fields = [{ description: 'is not a link-token of an Atlas organization', field: 'linkToken' }];
    throw atlasError('VALIDATION_ERROR', { detail: 'The link-token is not valid.', fields });
  }
  const before = store.migrationLinks.get(sourceOrgId);
  const link: MigrationLink =
    before?.linkToken === linkToken
      ? before
      : {
          sourceOrgId,
          atlasOrgId: created?.orgId ?? null,
          linkToken,
          linkedAt: new Date().toISOString(),
          posts: 0,
          pollsLeft: settings.pollsBeforeSynced,
        };
  link.posts += 1;
  store.migrationLinks.set(sourceOrgId, link);
  return statusOf(link, settings);
});

const pollStatus = inSourceOrganization(({ store }, sourceOrgId) => {
  const link = store.migrationLinks.get(sourceOrgId);
  const answer = statusOf(link, store.seed.settings);
  if (link && link.pollsLeft > 0) link.pollsLeft -= 1;
  return answer;
});

const disconnect = inSourceOrganization(({ store }, sourceOrgId) => {
  if (store.migrationLinks.delete(sourceOrgId)) return { status: 204 };
  throw noOrganizationLink();
});

function statusOf(link: MigrationLink | undefined, { syncDelayMs }: Settings): Answer {
  const synced = link && link.pollsLeft === 0 && Date.now() - Date.parse(link.linkedAt) >= syncDelayMs;
  return { status: 200, body: { status: synced ? 'SYNCED' : 'NOT_SYNCED' } };
}

const LINK = '/api/public/v1.0/orgs/:sourceOrgId/liveExport/migrationLink';
const access = 'digest';

export const cloudManagerRoutes: Route[] = [
  { on: 'migrationLink', method: 'POST', url: LINK, access, handle: connect },
  { on: 'migrationLinkStatus', method: 'GET', url: `${LINK}/status`, access, handle: pollStatus },
  { on: 'deleteMigrationLink', method: 'DELETE', url: LINK, access, handle: disconnect },
];
