import type { IncomingHttpHeaders } from 'node:http';
import type { Answer } from './answer';
import type { RouteName } from './route-names';
import type { Store } from './store';

/** Who is calling; `id` is the client id or the public key, never a secret. */
export interface Credential {
  id: string;
  orgId: string;
  roles: string[];
}

export interface Call {
  store: Store;
  params: Record<string, string>;
  query: Record<string, string>;
  headers: IncomingHttpHeaders;
  body: string;
}

export interface AuthenticatedCall extends Call {
  credential: Credential;
}

export type Handle = (call: AuthenticatedCall) => Answer;

/** `handle` throws RouteError. Access `atlas` takes a bearer token or HTTP Digest, `digest` HTTP Digest alone. */
export type Route = { on: RouteName; method: 'GET' | 'POST' | 'DELETE'; url: string } & (
  { access: 'open'; handle: (call: Call) => Answer } | { access: 'atlas' | 'digest'; handle: Handle }
);
