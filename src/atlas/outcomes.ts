import type { FailureType } from '../contract/names';
import { SecretUnavailableError } from '../secrets';
import {
  AtlasCircuitOpenError,
  AtlasConnectionError,
  AtlasResponseError,
  CredentialNotConfiguredError,
  type AtlasErrorDetails,
} from './errors';
import type { Endpoint } from './credential';
import type { AtlasErrorBody } from './error-body';

/** What one failed call of the Admin API means. */
export interface AtlasOutcome {
  type: FailureType;
  /** Whether a later attempt can succeed. */
  retryable: boolean;
  /** Whether Atlas may have created a link-token that the worker has not received. */
  tokenMayExist: boolean;
  /** What happened and, where no retry helps, the remedy. It holds no secret. */
  message: string;
  details: AtlasErrorDetails;
  /** The wait that Atlas requested; it is never shortened. */
  retryAfterMs?: number | undefined;
  /** How often in a row Atlas failed, in place of the run's own count: a run that sent nothing is not the one to slow down. */
  attempt?: number;
}

interface Meaning extends Pick<AtlasOutcome, 'type' | 'retryable' | 'tokenMayExist'> {
  /** Only where no retry helps. */
  remedy?: string;
}

interface Row extends Meaning {
  when: (status: number, errorCode: string | undefined) => boolean;
}

const RETRY = { type: 'AtlasUnavailable', retryable: true, tokenMayExist: false } as const;
const REJECTED = { type: 'AtlasRequestRejected', retryable: false, tokenMayExist: false } as const;
const INVALID = { type: 'AtlasResponseInvalid', retryable: false, tokenMayExist: false } as const;

const oneOf =
  (...statuses: number[]) =>
  (status: number) =>
    statuses.includes(status);
const between = (from: number, to: number) => (status: number) => status >= from && status <= to;

const REDIRECT: Row = {
  when: between(300, 399),
  ...REJECTED,
  remedy:
    'credentials never follow a redirect: set MONGODB_ATLAS_BASE_URL to Atlas itself, and check the proxy',
};
const ADDRESS_NOT_ON_ACCESS_LIST: Row = {
  when: (status, errorCode) => status === 403 && errorCode === 'IP_ADDRESS_NOT_ON_ACCESS_LIST',
  ...REJECTED,
  remedy: "add the worker's IP address to the API access list of the credential",
};
const ACCOUNT_SUSPENDED: Row = {
  when: oneOf(402),
  ...REJECTED,
  remedy: "resolve the suspension of the organization's account in Atlas",
};
const VERSION_WITHDRAWN: Row = {
  when: oneOf(406, 410, 415),
  ...REJECTED,
  remedy: "Atlas no longer serves this worker's API version: upgrade the worker",
};
const OTHER_REFUSAL: Row = {
  when: between(400, 499),
  ...REJECTED,
  remedy: 'fix what Atlas reports, then start again',
};
const NO_HTTP_STATUS: Meaning = {
  ...INVALID,
  remedy: 'this is not an HTTP status: check the proxies between the worker and Atlas',
};

/** Atlas's errorCode does not tell retryable from terminal: UNEXPECTED_ERROR was recorded with 401, 404 and 500. */
const LINK_TOKEN_ROWS: readonly Row[] = [
  {
    when: between(200, 299),
    ...INVALID,
    tokenMayExist: true,
    remedy: 'check in Atlas whether a link-token was created before you start again',
  },
  REDIRECT,
  { when: oneOf(408, 425), ...RETRY, tokenMayExist: true },
  { when: oneOf(429), ...RETRY },
  { when: oneOf(400, 422), ...REJECTED, remedy: 'correct the fields that Atlas names, then start again' },
  {
    when: oneOf(401),
    ...REJECTED,
    remedy:
      'check that the credential is correct, has not expired, and is Organization Owner of this organization',
  },
  ACCOUNT_SUSPENDED,
  ADDRESS_NOT_ON_ACCESS_LIST,
  {
    when: oneOf(403),
    ...REJECTED,
    remedy:
      "give the credential the Organization Owner role, and add the worker's IP address to its API access list",
  },
  {
    when: oneOf(404),
    ...REJECTED,
    remedy: 'check orgId: a credential sees only the organization it belongs to',
  },
  VERSION_WITHDRAWN,
  OTHER_REFUSAL,
  { when: between(500, 599), ...RETRY, tokenMayExist: true },
];

const ACCESS_TOKEN_ROWS: readonly Row[] = [
  { when: between(200, 299), ...INVALID, remedy: 'check the proxies between the worker and Atlas' },
  // At most 100 access tokens of an account are live; within the hour one expires.
  { when: (status, errorCode) => status === 403 && errorCode === 'access_denied', ...RETRY },
  { when: oneOf(408, 425, 429), ...RETRY },
  { when: between(500, 599), ...RETRY },
  REDIRECT,
];
const SERVICE_ACCOUNT_REJECTED: Meaning = {
  ...REJECTED,
  remedy: "check the service account's client id and secret, and that the secret has not expired",
};

/** Every call that creates nothing and may be repeated. */
const REPEATABLE_ROWS: readonly Row[] = [
  { when: between(200, 299), ...INVALID, remedy: 'check the proxies between the worker and Atlas' },
  REDIRECT,
  { when: oneOf(408, 425, 429), ...RETRY },
  { when: oneOf(401), ...REJECTED, remedy: 'check that the credential is correct and has not expired' },
  ACCOUNT_SUSPENDED,
  ADDRESS_NOT_ON_ACCESS_LIST,
  {
    when: oneOf(403),
    ...REJECTED,
    remedy: "check the roles of the credential, and add the worker's IP address to its API access list",
  },
  VERSION_WITHDRAWN,
  OTHER_REFUSAL,
  { when: between(500, 599), ...RETRY },
];

interface EndpointRules {
  /** Such as: Atlas returned 403 to the link-token request. */
  request: string;
  /** What a success holds. */
  content: string;
  /** The first that matches decides. */
  rows: readonly Row[];
  otherwise: Meaning;
}

const ENDPOINT_RULES: Record<Endpoint, EndpointRules> = {
  linkTokens: {
    request: 'link-token request',
    content: 'a link-token',
    rows: LINK_TOKEN_ROWS,
    otherwise: { ...NO_HTTP_STATUS, tokenMayExist: true },
  },
  oauthToken: {
    request: 'access-token request',
    content: 'an access token',
    rows: ACCESS_TOKEN_ROWS,
    otherwise: SERVICE_ACCOUNT_REJECTED,
  },
  orgs: {
    request: 'organizations request',
    content: 'a list of organizations',
    rows: REPEATABLE_ROWS,
    otherwise: NO_HTTP_STATUS,
  },
  availableProjects: {
    request: 'available-projects request',
    content: 'a list of projects',
    rows: REPEATABLE_ROWS,
    otherwise: NO_HTTP_STATUS,
  },
};

/** Codes of Node's X.509 verification (OpenSSL's names), and of its check of the host name. */
const INVALID_CERTIFICATE =
  /^(CERT_|CRL_|ERR_TLS_CERT|DEPTH_ZERO_SELF_SIGNED_CERT|SELF_SIGNED_CERT_IN_CHAIN|UNABLE_TO_(GET|VERIFY|DECRYPT|DECODE)_|INVALID_(CA|PURPOSE)|PATH_LENGTH_EXCEEDED|HOSTNAME_MISMATCH)/;

/**
 * Classifies whatever a call of the Admin API throws, except the reason of an abort signal.
 *
 * @param endpoint of the call, for an error that does not say where it happened.
 */
export function classifyAtlasError(error: unknown, endpoint: Endpoint): AtlasOutcome {
  if (error instanceof AtlasResponseError) return classifyResponse(error);
  if (error instanceof AtlasConnectionError) return classifyConnection(error);
  if (error instanceof AtlasCircuitOpenError) {
    const { message, details, retryAfterMs, failures } = error;
    return { ...RETRY, message, details, retryAfterMs, attempt: failures };
  }
  // Both are thrown before anything is sent, and the worker can be given what it lacks while runs wait.
  if (error instanceof SecretUnavailableError) {
    return { ...RETRY, message: `the credential for Atlas: ${error.message}`, details: {} };
  }
  if (error instanceof CredentialNotConfiguredError) {
    return { ...RETRY, message: error.message, details: {} };
  }
  // The message of such an error may hold a token or a secret.
  const name = error instanceof Error ? error.name : typeof error;
  const message = `the worker failed with an unexpected error (${name}) while it called Atlas`;
  if (endpoint !== 'linkTokens') return { ...INVALID, message: `${message}: report it`, details: {} };
  // The response may have arrived, and a retry would create another token.
  return {
    type: 'TokenLost',
    retryable: false,
    tokenMayExist: true,
    message: `${message}; check in Atlas whether a link-token was created before you start again`,
    details: {},
  };
}

function classifyResponse(error: AtlasResponseError): AtlasOutcome {
  const { endpoint, status } = error;
  const { rows, otherwise } = ENDPOINT_RULES[endpoint];
  const { type, retryable, tokenMayExist, remedy } =
    rows.find(({ when }) => when(status, error.body.errorCode)) ?? otherwise;
  const { fields, ...texts } = error.body;
  // Temporal keeps 4 KB of a failure that is retried. Its fields are left out: nobody has to correct them.
  const body = retryable || !fields ? texts : { ...texts, fields };
  return {
    type,
    retryable,
    tokenMayExist,
    message: [describeResponse(endpoint, status, body), remedy && `; ${remedy}`].join(''),
    details: { status, ...body },
    retryAfterMs: retryable ? error.retryAfterMs : undefined,
  };
}

/** Such as: Atlas returned 403 IP_ADDRESS_NOT_ON_ACCESS_LIST to the link-token request: "This address is not…". */
function describeResponse(endpoint: Endpoint, status: number, body: AtlasErrorBody): string {
  const { request, content } = ENDPOINT_RULES[endpoint];
  const without = status >= 200 && status < 300 ? `, without ${content}` : '';
  const reason = body.detail ?? body.reason;
  const fields = body.fields?.map(({ field, description }) => `${field}: ${description}`).join('; ');
  return [
    `Atlas returned ${status}${body.errorCode ? ` ${body.errorCode}` : ''} to the ${request}${without}`,
    reason && `: "${reason}"`,
    fields && ` (${fields})`,
  ].join('');
}

function classifyConnection({ endpoint, written, code, baseUrl }: AtlasConnectionError): AtlasOutcome {
  const details = { reason: code };
  if (!written && INVALID_CERTIFICATE.test(code)) {
    return {
      type: 'AtlasUnavailable',
      retryable: false,
      tokenMayExist: false,
      message: `the TLS certificate of Atlas is not trusted (${code}): check MONGODB_ATLAS_BASE_URL, or add your CA with NODE_EXTRA_CA_CERTS`,
      details,
    };
  }
  return {
    ...RETRY,
    tokenMayExist: written && endpoint === 'linkTokens',
    message: describeConnection(written, code, baseUrl),
    details,
  };
}

function describeConnection(written: boolean, code: string, baseUrl: string): string {
  if (!written) {
    return `no connection to Atlas at ${baseUrl} (${code}); if this lasts, check MONGODB_ATLAS_BASE_URL, DNS, the proxy and the firewall`;
  }
  if (code === 'TIMEOUT') return 'Atlas did not respond in time';
  return `the connection to Atlas closed before the full response arrived (${code})`;
}
