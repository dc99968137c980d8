import { challenge, verifyDigest } from './digest';
import { atlasError } from './errors';
import type { Credential } from './route';
import type { Store } from './store';

interface SignedRequest {
  method: string;
  url: string;
  authorization: string | undefined;
}

/** Who sent the request. Throws RouteError: the Digest challenge, or 401 for a bearer token that is dead. */
export function authenticate(request: SignedRequest, access: 'atlas' | 'digest', store: Store): Credential {
  const { method, url, authorization = '' } = request;
  const bearer = /^Bearer (.+)$/i.exec(authorization)?.[1];
  if (bearer !== undefined && access === 'atlas') return fromBearer(bearer, store);
  if (!/^Digest /i.test(authorization)) throw challenge(store);
  const { publicKey, orgId, roles } = verifyDigest(authorization, method, url, store);
  return { id: publicKey, orgId, roles };
}

function fromBearer(token: string, store: Store): Credential {
  const clientId = store.accessTokens.ownerOf(token);
  const account = store.seed.serviceAccounts.find((candidate) => candidate.clientId === clientId);
  if (!account) {
    const headers = { 'WWW-Authenticate': 'Bearer realm="MMS Public API", error="invalid_token"' };
    throw atlasError('USER_UNAUTHORIZED', { headers });
  }
  return { id: account.clientId, orgId: account.orgId, roles: account.roles };
}

/** Throws RouteError unless the caller owns the organization in the path; a credential belongs to one. */
export function requireOwner(credential: Credential, orgId: string, organizations: { id: string }[]): void {
  const parameters = [orgId];
  if (!/^[a-f0-9]{24}$/.test(orgId)) throw atlasError('INVALID_ORG_ID', { parameters });
  if (!organizations.some(({ id }) => id === orgId)) throw atlasError('ORG_NOT_FOUND', { parameters });
  if (credential.orgId !== orgId) throw atlasError('USER_CANNOT_ACCESS_ORG', { parameters });
  if (!credential.roles.includes('ORG_OWNER')) throw atlasError('NOT_ORG_OWNER', { parameters });
}
