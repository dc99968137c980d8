import { STATUS_CODES } from 'node:http';
import type { Answer } from './answer';

/** Codes recorded at Atlas with their status; `{0}` stands for the first parameter. */
const ERRORS = {
  INVALID_JSON: [400, 'Received JSON is malformed.'],
  VALIDATION_ERROR: [400, 'Validation failed for the request body.'],
  INVALID_IP_ADDRESS_OR_CIDR_NOTATION: [400, 'The address {0} must be in valid IP address or CIDR notation.'],
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
  VERSION_WITHDRAWN: [410, 'Version {0} of this resource has been withdrawn.'],
  UNSUPPORTED_MEDIA_TYPE: [415, 'Content type {0} is not supported.'],
  RATE_LIMITED: [429, 'Too many requests. Try again later.'],
  UNEXPECTED_ERROR: [500, 'Unexpected error.'],
} as const satisfies Record<string, readonly [status: number, detail: string]>;

export type ErrorCode = keyof typeof ERRORS;

interface ErrorDetails {
  detail?: string | undefined;
  parameters?: string[];
  fields?: { description: string; field: string }[];
  headers?: Record<string, string>;
}

/** Thrown by a route to answer with an error. */
export class RouteError extends Error {
  override readonly name = 'RouteError';
  constructor(readonly answer: Answer) {
    super(`HTTP ${answer.status}`);
  }
}

export function atlasError(code: ErrorCode, details: ErrorDetails = {}): RouteError {
  const { headers } = details;
  return new RouteError({ ...atlasErrorAnswer(ERRORS[code][0], code, details), ...(headers && { headers }) });
}

/** Recorded for DELETE when there is nothing to remove. */
export function noOrganizationLink(): RouteError {
  const detail = 'Could not find the requested external organization link.';
  return atlasError('RESOURCE_NOT_FOUND', { detail });
}

/** The body recorded at Atlas: every field present, null where there is nothing to say. */
export function atlasErrorAnswer(status: number, errorCode: string, details: ErrorDetails = {}): Answer {
  const { detail = knownError(errorCode)?.[1] ?? 'Unexpected error.', parameters = [], fields } = details;
  return {
    status,
    body: {
      badRequestDetail: fields ? { fields } : null,
      detail: detail.replace('{0}', parameters[0] ?? ''),
      error: status,
      errorCode,
      parameters,
      reason: STATUS_CODES[status] ?? null,
    },
  };
}

/** The error of RFC 6749, 5.2, as the token endpoint gives it. */
export function oauthError(status: number, error: string, description: string): RouteError {
  const headers = status === 401 ? { 'WWW-Authenticate': 'Basic realm="MMS Public API"' } : {};
  return new RouteError({ status, body: { error, error_description: description }, headers });
}

export function codeForStatus(status: number): ErrorCode {
  const known = Object.entries(ERRORS).find(([, [candidate]]) => candidate === status);
  return known ? (known[0] as ErrorCode) : 'UNEXPECTED_ERROR';
}

export function statusForCode(code: string): number | undefined {
  return knownError(code)?.[0];
}

function knownError(code: string): readonly [number, string] | undefined {
  return code in ERRORS ? ERRORS[code as ErrorCode] : undefined;
}
