import type { IncomingHttpHeaders } from 'node:http';
import type { z } from 'zod';
import type { RouteName } from './faults';
import { atlasError, type RouteResponse } from './responses';
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

/** Parses the body. @throws RouteError: 415, or 400 with INVALID_JSON or VALIDATION_ERROR. */
export function parseJsonBody<T>({ headers, body }: Call, schema: z.ZodType<T>): T {
  const { 'content-type': contentType = '' } = headers;
  if (!/^application\/(vnd\.atlas\.\d{4}-\d{2}-\d{2}\+)?json\s*(;|$)/i.test(contentType)) {
    throw atlasError('UNSUPPORTED_MEDIA_TYPE', { parameters: [contentType] });
  }
  const parsed = schema.safeParse(parseJson(body));
  if (parsed.success) return parsed.data;
  const fields = parsed.error.issues.map(({ path, message }) => ({
    description: message,
    field: path.join('.'),
  }));
  throw atlasError('VALIDATION_ERROR', { fields });
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw atlasError('INVALID_JSON');
  }
}
