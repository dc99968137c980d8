import type { FastifyRequest } from 'fastify';
import { REALM, verifyDigest, type SignedRequest } from './digest';
import { atlasError } from './responses';
import type { Credential } from './route';
import type { State } from './state';

/**
 * Finds the caller. @throws RouteError: a Digest challenge, or 401 for a bearer token that is not
 * valid.
 */
export function authenticate(
  request: SignedRequest,
  access: 'atlas' | 'digest',
  state: State,
): Credential {
  const bearer = /^Bearer (.+)$/i.exec(request.headers.authorization ?? '')?.[1];
  if (bearer !== undefined && access === 'atlas') return ownerOfBearer(bearer, state);
  const { publicKey, orgId, roles } = verifyDigest(request, state);
  return { id: publicKey, orgId, roles };
}

/**
 * Throws RouteError unless the caller owns the organization in the path; a credential belongs to
 * one.
 */
export function requireOwner(
  credential: Credential,
  orgId: string,
  organizations: { id: string }[],
): void {
  const parameters = [orgId];
  if (!/^[a-f0-9]{24}$/.test(orgId)) throw atlasError('INVALID_ORG_ID', { parameters });
  if (!organizations.some(({ id }) => id === orgId)) {
    throw atlasError('ORG_NOT_FOUND', { parameters });
  }
  if (credential.orgId !== orgId) throw atlasError('USER_CANNOT_ACCESS_ORG', { parameters });
  if (!credential.roles.includes('ORG_OWNER')) throw atlasError('NOT_ORG_OWNER', { parameters });
}

/**
 * Finds the organization of a request: that of its path, or of the service account that sends HTTP
 * Basic.
 */
export function findOrganization(
  { params, headers }: Pick<FastifyRequest, 'params' | 'headers'>,
  { seed }: State,
): string | undefined {
  const { orgId } = params as { orgId?: string };
  const basic = /^Basic (.+)$/i.exec(headers.authorization ?? '')?.[1] ?? '';
  const [sender] = Buffer.from(basic, 'base64').toString().split(':');
  return orgId ?? seed.serviceAccounts.find(({ clientId }) => clientId === sender)?.orgId;
}

function ownerOfBearer(token: string, state: State): Credential {
  const owner = state.accessTokens.ownerOf(token);
  const account = state.seed.serviceAccounts.find(({ clientId }) => clientId === owner);
  if (account) return { id: account.clientId, orgId: account.orgId, roles: account.roles };
  const headers = { 'WWW-Authenticate': `Bearer realm="${REALM}", error="invalid_token"` };
  throw atlasError('USER_UNAUTHORIZED', { headers });
}
