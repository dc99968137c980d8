import type { FailureType, RevocationFailureType } from '../contract/failure-types';
import { isCertificateError } from '../http/certificate';
import { isSuccess, type HttpResponse } from '../http/response';
import { SecretUnavailableError } from '../secrets/read-secret';
import { NOTHING_DONE, type AttemptFailure } from '../shared/attempt-failure';
import { cutAndEscape, nameOfError, quote } from '../shared/text';
import type { Endpoint } from './credential';
import { parseAccessTokenError, parseErrorBody } from './error-body';

/** The meaning of one failed call of the Admin API. */
export type AtlasFailure = AttemptFailure<FailureType | RevocationFailureType>;

/** Thrown when a call of the Admin API fails or is not made. */
export class AtlasError extends Error {
  override readonly name = 'AtlasError';

  constructor(readonly failure: AtlasFailure) {
    super(failure.message);
  }
}

type Condition = (status: number, errorCode: string | undefined) => boolean;

interface Row {
  when: Condition;
  type: 'AtlasUnavailable' | 'AtlasRequestRejected' | 'AtlasResponseInvalid';
  /** False if Atlas is known to have done nothing: it rejected or throttled the request. */
  mayHaveActed: boolean;
  /**
   * What to do, if the failure is permanent: any but AtlasUnavailable. `{credential}` stands for
   * its name.
   */
  remedy?: string;
}

const retried = (when: Condition): Row => ({ when, type: 'AtlasUnavailable', mayHaveActed: true });
const postponed = (when: Condition): Row => ({ ...retried(when), mayHaveActed: false });
const rejected = (when: Condition, remedy: string): Row => ({
  when,
  type: 'AtlasRequestRejected',
  mayHaveActed: false,
  remedy,
});
const invalid = (when: Condition, remedy: string): Row => ({
  when,
  type: 'AtlasResponseInvalid',
  mayHaveActed: true,
  remedy,
});

const oneOf = (...statuses: number[]): Condition => {
  return (status) => statuses.includes(status);
};
const between = (from: number, to: number): Condition => {
  return (status) => status >= from && status <= to;
};
const is2xx: Condition = (status) => isSuccess({ status });
const isServerError = between(500, 599);
const isOther: Condition = () => true;
/** A 403 for any reason but the worker's address, as far as Atlas names one. */
const isForbidden: Condition = (status, errorCode) =>
  status === 403 && errorCode !== 'IP_ADDRESS_NOT_ON_ACCESS_LIST';

/** The configuration file takes precedence over the variable. */
const BASE_URL = 'atlas.baseUrl (or MONGODB_ATLAS_BASE_URL)';
const FIND_KEY =
  'Atlas may have created an API key for it, which live-migration-prep api-keys finds: ' +
  'delete that key in Atlas, then start again';

const REDIRECT = rejected(
  between(300, 399),
  'redirects are not followed, to protect credentials:' +
    ` correct ${BASE_URL} or the proxy, and restart the workers`,
);
const INVALID_CONTENT = invalid(is2xx, 'check the proxies between the worker and Atlas');
const NO_HTTP_STATUS = invalid(
  isOther,
  'this is not an HTTP status: check the proxies between the worker and Atlas',
);

/** Rows of every request, after its own. */
const COMMON_ROWS: readonly Row[] = [
  REDIRECT,
  postponed(oneOf(429)),
  retried(oneOf(408, 425)),
  rejected(oneOf(402), "resolve the suspension of the organization's account in Atlas"),
  rejected(
    oneOf(403),
    "add the worker's IP address to the API access list of credential {credential}",
  ),
  rejected(
    oneOf(406, 410, 415),
    "Atlas no longer serves this worker's API version: upgrade the worker",
  ),
  rejected(between(400, 499), 'fix what Atlas reports, then start again'),
  retried(isServerError),
];

const OWNER_ROWS: readonly Row[] = [
  rejected(
    oneOf(401),
    'check that credential {credential} is valid, unexpired and Organization Owner of this' +
      ' organization',
  ),
  rejected(
    isForbidden,
    "make credential {credential} Organization Owner, and put the worker's address on its API" +
      ' access list',
  ),
];

/**
 * Rows of the link-token request. errorCode may choose a remedy, but never decides whether a row is
 * retried: UNEXPECTED_ERROR came with 401, 404 and 500.
 */
const LINK_TOKEN_ROWS: readonly Row[] = [
  invalid(is2xx, FIND_KEY),
  rejected(
    (status, errorCode) =>
      [400, 401, 403].includes(status) && errorCode === 'MAX_API_KEYS_PER_ORG_EXCEEDED',
    'delete unused API keys, which live-migration-prep api-keys finds, then start again',
  ),
  rejected(oneOf(400, 422), 'correct the fields that Atlas names, then start again'),
  ...OWNER_ROWS,
  rejected(oneOf(404), 'check orgId: a credential sees only the organization it belongs to'),
  ...COMMON_ROWS,
];

const ACCESS_TOKEN_ROWS: readonly Row[] = [
  INVALID_CONTENT,
  // A service account has at most 100 live access tokens; one expires within the hour.
  retried((status, errorCode) => status === 403 && errorCode === 'access_denied'),
  rejected(
    oneOf(400, 401),
    'check the client id and secret of credential {credential},' +
      ' and that the secret has not expired',
  ),
  rejected(oneOf(404, 405), `check ${BASE_URL}`),
  ...COMMON_ROWS,
];

const PROJECTS_ROWS: readonly Row[] = [
  INVALID_CONTENT,
  ...OWNER_ROWS,
  rejected(oneOf(404), 'check orgId; Atlas may also return 404 for an organization without a link'),
  ...COMMON_ROWS,
];

/** The request names no organization. */
const ORGANIZATIONS_ROWS: readonly Row[] = [
  INVALID_CONTENT,
  ...OWNER_ROWS,
  rejected(oneOf(404), `check ${BASE_URL}`),
  ...COMMON_ROWS,
];

const API_KEYS_ROWS: readonly Row[] = [
  INVALID_CONTENT,
  ...OWNER_ROWS,
  rejected(oneOf(404), 'check orgId: a credential sees only the organization it belongs to'),
  ...COMMON_ROWS,
];

/** Any 2xx is a success, and 404 says that the key is gone. */
const DELETE_API_KEY_ROWS: readonly Row[] = [...OWNER_ROWS, ...COMMON_ROWS];

/**
 * Names of the request and of the content of a success, and rows, of which the first that matches
 * decides.
 */
export const ENDPOINT_RULES: Record<
  Endpoint,
  { request: string; content: string; rows: readonly Row[] }
> = {
  linkTokens: { request: 'link-token request', content: 'a link-token', rows: LINK_TOKEN_ROWS },
  oauthToken: {
    request: 'access-token request',
    content: 'a valid access token',
    rows: ACCESS_TOKEN_ROWS,
  },
  orgs: {
    request: 'organizations request',
    content: 'a list of organizations',
    rows: ORGANIZATIONS_ROWS,
  },
  availableProjects: {
    request: 'available-projects request',
    content: 'a list of projects',
    rows: PROJECTS_ROWS,
  },
  apiKeys: { request: 'api-keys request', content: 'a list of API keys', rows: API_KEYS_ROWS },
  deleteApiKey: {
    request: 'key-deletion request',
    content: 'a status of success',
    rows: DELETE_API_KEY_ROWS,
  },
};

const NOT_JSON = '; the body is not JSON, so a proxy between the worker and Atlas may have sent it';

/**
 * Classifies a response that lacks the requested content.
 *
 * @param credentialName the name in the worker's configuration.
 */
export function responseError(
  endpoint: Endpoint,
  credentialName: string,
  { status, json, retryAfterMs }: Pick<HttpResponse, 'status' | 'json' | 'retryAfterMs'>,
): AtlasError {
  const { fields, ...texts } = readError(endpoint, status, json);
  const { rows } = ENDPOINT_RULES[endpoint];
  const row = rows.find(({ when }) => when(status, texts.errorCode)) ?? NO_HTTP_STATUS;
  const { type, remedy, mayHaveActed } = row;
  const permanent = type !== 'AtlasUnavailable';
  // A failure that is retried has no fields: Temporal keeps 4 KB of it, and the caller need not
  // correct them.
  const details = { status, ...texts, fields: permanent ? fields : undefined };
  return new AtlasError({
    ...NOTHING_DONE,
    type,
    permanent,
    tokenMayExist: endpoint === 'linkTokens' && mayHaveActed,
    message: [
      describeResponse(endpoint, details),
      remedy && `; ${remedy.replace('{credential}', () => credentialName)}`,
      permanent && json === null && NOT_JSON,
    ]
      .filter(Boolean)
      .join(''),
    details,
    retryAfterMs: permanent ? undefined : retryAfterMs,
  });
}

function readError(
  endpoint: Endpoint,
  status: number,
  json: unknown,
): ReturnType<typeof parseErrorBody> {
  // Nothing of a success is quoted: any field of the body may hold a token.
  if (status < 300) return {};
  return endpoint === 'oauthToken' ? parseAccessTokenError(json) : parseErrorBody(json);
}

/** @returns such as: Atlas returned 402 ACCOUNT_SUSPENDED to the link-token request: "The…". */
function describeResponse(
  endpoint: Endpoint,
  details: AtlasFailure['details'] & { status: number },
): string {
  const { status, errorCode, detail, reason, fields } = details;
  const { request, content } = ENDPOINT_RULES[endpoint];
  const without = isSuccess({ status }) ? `, without ${content}` : '';
  const text = detail ?? reason;
  const corrections = fields
    ?.map(({ field, description }) => `${field}: ${description}`)
    .join('; ');
  return [
    `Atlas returned ${status}${errorCode ? ` ${errorCode}` : ''} to the ${request}${without}`,
    text && `: "${text}"`,
    corrections && ` (${corrections})`,
  ].join('');
}

/**
 * Classifies a request to which no complete response arrived.
 *
 * @param isWritten whether the request was written, so that Atlas may have acted on it.
 * @param code code of an HttpError.
 */
export function connectionError(
  endpoint: Endpoint,
  isWritten: boolean,
  code: string,
  baseUrl: string,
): AtlasError {
  const details = { reason: code };
  if (!isWritten && isCertificateError(code)) {
    const remedy =
      `check ${BASE_URL} and the clock of the worker's host,` +
      ' or add your CA with NODE_EXTRA_CA_CERTS';
    const message = `the TLS certificate of Atlas or the proxy is not trusted (${code}): ${remedy}`;
    return new AtlasError(notSentFailure(message, { permanent: true, details }));
  }
  if (!isWritten) {
    const remedy = `if this lasts, check ${BASE_URL}, DNS, the proxy and the firewall`;
    return new AtlasError(
      notSentFailure(`no connection to Atlas at ${baseUrl} (${code}); ${remedy}`, { details }),
    );
  }
  const { request } = ENDPOINT_RULES[endpoint];
  const message =
    code === 'TIMEOUT'
      ? `Atlas did not respond to the ${request} within atlas.requestTimeoutMs`
      : `the connection to Atlas closed before the full response to the ${request} arrived` +
        ` (${code})`;
  const tokenMayExist = endpoint === 'linkTokens';
  return new AtlasError({
    ...NOTHING_DONE,
    type: 'AtlasUnavailable',
    tokenMayExist,
    message,
    details,
  });
}

/** Builds the failure of a request that was not sent. By default it is not permanent. */
export function notSentFailure(
  message: string,
  overrides: Partial<Pick<AtlasFailure, 'permanent' | 'details' | 'retryAfterMs'>> = {},
): AtlasFailure {
  return { ...NOTHING_DONE, type: 'AtlasUnavailable', message, details: {}, ...overrides };
}

/** @param details name the API key of the token, if it is known. */
export function tokenLostFailure(
  message: string,
  details: AtlasFailure['details'] = {},
): AtlasFailure {
  const facts = { ...NOTHING_DONE, permanent: true, tokenMayExist: true };
  return { ...facts, type: 'TokenLost', message, details };
}

/** Refuses to delete a key, whoever says that it is a link-token's. */
export function notALinkTokensKey(
  publicApiKey: string,
  { id, desc = '' }: { id: string; desc?: string | undefined },
): AtlasError {
  return revocationRefused(
    `Atlas does not describe API key ${publicApiKey} as that of a link-token, but as` +
      ` ${quote(desc)}: if you are sure of it, delete key ${cutAndEscape(id)} in Atlas`,
  );
}

/**
 * Refuses to delete a key; nothing was sent to delete it.
 *
 * @param message what keeps the workers from it, and what to do.
 */
export function revocationRefused(message: string, permanent = true): AtlasError {
  return new AtlasError({
    ...NOTHING_DONE,
    permanent,
    type: 'RevocationRefused',
    message,
    details: {},
  });
}

/** Says that a key which was not found may all the same exist. */
export function notListedYet(message: string): AtlasError {
  return new AtlasError({ ...NOTHING_DONE, type: 'AtlasUnavailable', message, details: {} });
}

export function credentialNotConfigured(name: string): AtlasError {
  const remedy =
    'configure it under atlas.credentials, or correct atlas.organizations, then restart the worker';
  return new AtlasError(
    notSentFailure(`the worker has no credential named ${quote(name)}: ${remedy}`),
  );
}

/** Classifies an error of a call of the Admin API. */
export function classifyAtlasError(error: unknown, endpoint: Endpoint): AtlasFailure {
  if (error instanceof AtlasError) return error.failure;
  if (error instanceof SecretUnavailableError) {
    return notSentFailure(`cannot use the credential for Atlas: ${error.message}`);
  }
  // The message of such an error may hold a token or a secret.
  const name = nameOfError(error);
  const problem = `the worker failed with an unexpected error (${name}) while it called Atlas`;
  // The response may have arrived, and a retry would create another token.
  if (endpoint === 'linkTokens') {
    return tokenLostFailure(`${problem} for a link-token; ${FIND_KEY}`);
  }
  const message = `${problem}: report this as an issue of live-migration-prep`;
  const facts = { ...NOTHING_DONE, permanent: true };
  return { ...facts, type: 'AtlasResponseInvalid', message, details: {} };
}
