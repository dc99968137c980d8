import type { IncomingHttpHeaders } from 'node:http';
import type { RouteName } from './faults';
import type { RouteResponse } from './responses';
import type { State } from './state';

/** The caller; `id` is the client id or the public key, never a secret. */
export interface Credential {
  id: string;
  orgId: string;
  roles: string[];
}

export interface Call {
  state: State;
  /** Address of the sender. */
  address: string;
  /** Path of the URL, without the query. */
  path: string;
  params: Record<string, string>;
  query: Record<string, string>;
  headers: IncomingHttpHeaders;
  body: string;
}

export interface AuthenticatedCall extends Call {
  credential: Credential;
}

export type Handler = (call: AuthenticatedCall) => RouteResponse;

/**
 * `handle` throws RouteError. Access `atlas` takes a bearer token or HTTP Digest, `digest` only
 * Digest.
 */
export type Endpoint = { on: RouteName | 'unknown' } & (
  | { access: 'open'; handle: (call: Call) => RouteResponse }
  | { access: 'atlas' | 'digest'; handle: Handler }
);

export type Route = Endpoint & { on: RouteName; method: 'GET' | 'POST' | 'DELETE'; url: string };
