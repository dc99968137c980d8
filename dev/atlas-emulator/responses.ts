import { STATUS_CODES } from 'node:http';

/**
 * Result of a route, before `envelope`, `pretty` and faults. A body that is not a string is sent as
 * JSON.
 */
export interface RouteResponse {
  status: number;
  body?: unknown;
  contentType?: string;
  headers?: Record<string, string>;
}

/**
 * Error codes of Atlas with their status; `{0}` stands for the first parameter. Most texts are
 * invented.
 */
const ERRORS = {
  INVALID_JSON: [400, 'Received JSON is malformed.'],
  VALIDATION_ERROR: [400, 'Validation failed for the request body.'],
  INVALID_IP_ADDRESS_OR_CIDR_NOTATION: [
    400,
    'The address {0} must be in valid IP address or CIDR notation.',
  ],
  IPV6_UNSUPPORTED: [400, 'IPv6 is not supported: {0}.'],
  USER_UNAUTHORIZED: [401, 'You are not authorized for this resource.'],
  NOT_ORG_OWNER: [401, 'The caller does not have the Organization Owner role in organization {0}.'],
  USER_CANNOT_ACCESS_ORG: [401, 'The caller cannot access organization {0}.'],
  ACCOUNT_SUSPENDED: [402, 'The account is suspended.'],
  IP_ADDRESS_NOT_ON_ACCESS_LIST: [403, 'IP address {0} is not allowed to access this resource.'],
  ORG_REQUIRES_ACCESS_LIST: [403, 'This organization requires an access list for its API keys.'],
  RESOURCE_NOT_FOUND: [404, 'Cannot find resource {0}.'],
  ORG_NOT_FOUND: [404, 'An organization with ID {0} could not be found.'],
  INVALID_ORG_ID: [404, 'An invalid organization ID {0} was specified.'],
  NOT_ATLAS_ORG: [404, 'Organization {0} is not an Atlas organization.'],
  INVALID_VERSION_DATE: [406, 'Invalid accept header or version date.'],
  VERSION_GONE: [410, 'Version {0} of this resource has been withdrawn.'],
  UNSUPPORTED_MEDIA_TYPE: [415, 'Content type {0} is not supported.'],
  RATE_LIMITED: [429, 'Too many requests. Try again later.'],
  RATE_LIMITED_TOKEN_BUCKET: [429, 'Rate limit exceeded for {0}.'],
  UNEXPECTED_ERROR: [500, 'Unexpected error.'],
} as const satisfies Record<string, readonly [status: number, detail: string]>;

export type ErrorCode = keyof typeof ERRORS;

interface ErrorDetails {
  status?: number | undefined;
  detail?: string | undefined;
  parameters?: (string | number)[];
  fields?: { description: string; field: string }[];
  headers?: Record<string, string>;
}

/** Thrown by a route to respond with an error. */
export class RouteError extends Error {
  override readonly name = 'RouteError';
  constructor(readonly response: RouteResponse) {
    super(`HTTP ${response.status}`);
  }
}

/** An error with the fields of those recorded at Atlas, none of which has `badRequestDetail`. */
export function atlasError(errorCode: ErrorCode, details: ErrorDetails = {}): RouteError {
  // A fault may bring a code of its own.
  const defaults = errorCode in ERRORS ? ERRORS[errorCode] : ERRORS.UNEXPECTED_ERROR;
  const {
    status = defaults[0],
    detail = defaults[1],
    parameters = [],
    fields,
    headers = {},
  } = details;
  return new RouteError({
    status,
    headers,
    body: {
      // JSON drops it unless there are fields.
      badRequestDetail: fields && { fields },
      detail: detail.replace('{0}', String(parameters[0] ?? '')),
      error: status,
      errorCode,
      parameters,
      reason: STATUS_CODES[status],
    },
  });
}

/**
 * The 404 of Atlas's DELETE without a link, recorded in August 2026; in May its `errorCode` was
 * null.
 */
export function noOrganizationLink(): RouteError {
  const detail = 'Could not find the requested external organization link.';
  return atlasError('UNEXPECTED_ERROR', { status: 404, detail });
}

/** Reported of the token endpoint, which else responds as RFC 6749 says. */
export function tooManyAccessTokens(perMinute: number): RouteError {
  const detail = `Resource {0} is limited to ${perMinute} requests every 1 minutes.`;
  return atlasError('RATE_LIMITED', { detail, parameters: ['/api/oauth/token', perMinute, 1] });
}

/** The error of RFC 6749, 5.2, as the token endpoint sends it. */
export function oauthError(status: number, error: string, description: string): RouteError {
  const headers = status === 401 ? { 'WWW-Authenticate': 'Basic realm="MMS Public API"' } : {};
  return new RouteError({ status, body: { error, error_description: description }, headers });
}

export function codeForStatus(status: number): ErrorCode {
  const entry = Object.entries(ERRORS).find(([, [candidate]]) => candidate === status);
  return entry ? (entry[0] as ErrorCode) : 'UNEXPECTED_ERROR';
}
