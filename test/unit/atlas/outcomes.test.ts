import {
  AtlasConnectionError,
  AtlasResponseError,
  CredentialNotConfiguredError,
} from '../../../src/atlas/errors';
import type { Endpoint } from '../../../src/atlas/messages';
import { classifyAtlasError } from '../../../src/atlas/outcomes';
import type { FailureType } from '../../../src/contract/names';
import { SecretUnavailableError } from '../../../src/secrets';

function responded(endpoint: Endpoint, status: number, json: unknown = null, retryAfterMs?: number) {
  return classifyAtlasError(new AtlasResponseError(endpoint, { status, json, retryAfterMs }), 'linkTokens');
}

type Expected = [type: FailureType, retryable: boolean, tokenMayExist: boolean];

const REJECTED: Expected = ['AtlasRequestRejected', false, false];
const INVALID: Expected = ['AtlasResponseInvalid', false, false];
const INVALID_UNCONFIRMED: Expected = ['AtlasResponseInvalid', false, true];
const RETRY: Expected = ['AtlasUnavailable', true, false];
const RETRY_UNCONFIRMED: Expected = ['AtlasUnavailable', true, true];

const each = (expected: Expected, ...statuses: number[]): [number, Expected][] =>
  statuses.map((status) => [status, expected]);

const REDIRECTS = [300, 301, 302, 303, 304, 307, 308];
const REFUSALS = [400, 401, 402, 403, 404, 405, 406, 407, 409, 410, 415, 418, 422, 423, 424, 428, 451, 499];
const SERVER_ERRORS = [500, 501, 502, 503, 504, 520, 524, 599];

const REPEATABLE: [status: number, expected: Expected][] = [
  ...each(INVALID, 200, 201, 204, 600),
  ...each(REJECTED, ...REDIRECTS, ...REFUSALS),
  ...each(RETRY, 408, 425, 429, ...SERVER_ERRORS),
];

const STATUSES: Record<Endpoint, [status: number, expected: Expected][]> = {
  linkTokens: [
    ...each(INVALID_UNCONFIRMED, 200, 201, 202, 204, 299, 600, 999),
    ...each(REJECTED, ...REDIRECTS, ...REFUSALS),
    ...each(RETRY, 429),
    ...each(RETRY_UNCONFIRMED, 408, 425, ...SERVER_ERRORS),
  ],
  oauthToken: [
    ...each(INVALID, 200, 201, 204),
    ...each(REJECTED, ...REDIRECTS, ...REFUSALS, 600),
    ...each(RETRY, 408, 425, 429, ...SERVER_ERRORS),
  ],
  orgs: REPEATABLE,
  availableProjects: REPEATABLE,
  removeLink: REPEATABLE,
};
const ENDPOINTS = Object.keys(STATUSES) as Endpoint[];

describe.each(ENDPOINTS)('a response to the request for %s', (endpoint) => {
  it.each(STATUSES[endpoint])('%i means %j: type, retryable, a token may exist', (status, expected) => {
    const { type, retryable, tokenMayExist, details } = responded(endpoint, status);
    expect([type, retryable, tokenMayExist]).toEqual(expected);
    expect(details).toEqual({ status });
  });

  it.each(STATUSES[endpoint])(
    '%i says what to do exactly where no retry helps: %j',
    (status, [, retryable]) => {
      const remedy = /^Atlas returned \d+[^;]* to the [a-z-]+ request; \w/;
      const { message } = responded(endpoint, status);
      expect(remedy.test(message)).toBe(!retryable);
    },
  );

  it.each([429, 503, 500])('%i passes on the wait that Atlas requests', (status) => {
    expect(responded(endpoint, status, null, 7000).retryAfterMs).toBe(7000);
  });

  it('403 asks for no wait: no retry follows it', () => {
    expect(responded(endpoint, 403, null, 7000).retryAfterMs).toBeUndefined();
  });
});

describe('a response to the link-token request', () => {
  it.each([401, 404, 500])(
    'is classified by its status %i even where errorCode is UNEXPECTED_ERROR',
    (status) => {
      const { retryable, details } = responded('linkTokens', status, { errorCode: 'UNEXPECTED_ERROR' });
      expect([retryable, details.errorCode]).toEqual([status === 500, 'UNEXPECTED_ERROR']);
    },
  );

  it("passes on Atlas's own message", () => {
    const outcome = responded('linkTokens', 400, {
      error: 400,
      errorCode: 'VALIDATION_ERROR',
      detail: 'Validation failed.',
      reason: 'Bad Request',
      badRequestDetail: { fields: [{ field: 'accessListIps[0]', description: 'is odd' }] },
      parameters: [],
    });
    expect(outcome.message).toBe(
      'Atlas returned 400 VALIDATION_ERROR to the link-token request: "Validation failed." (accessListIps[0]: is odd); correct the fields that Atlas names, then start again',
    );
    expect(outcome.details).toEqual({
      status: 400,
      errorCode: 'VALIDATION_ERROR',
      detail: 'Validation failed.',
      reason: 'Bad Request',
      fields: [{ field: 'accessListIps[0]', description: 'is odd' }],
    });
  });

  it.each([
    [200, /^Atlas returned 200 without a link-token .*; check in Atlas whether a link-token was created/],
    [403, /; give the credential .* role, and add the worker's IP address to its API access list$/],
    [409, /; fix what Atlas reports, then start again$/],
  ])('%i says %s', (status, message) => {
    expect(responded('linkTokens', status).message).toMatch(message);
  });
});

describe('a response to the access-token request', () => {
  it('403 access_denied is retried, since one of the 100 live tokens soon expires', () => {
    const outcome = responded('oauthToken', 403, { error: 'access_denied', error_description: 'Too many.' });
    expect(outcome).toMatchObject({ type: 'AtlasUnavailable', retryable: true, tokenMayExist: false });
    expect(outcome.message).toBe('Atlas returned 403 access_denied to the access-token request: "Too many."');
  });

  it('403 for another reason is not', () => {
    expect(responded('oauthToken', 403, { error: 'invalid_client' }).retryable).toBe(false);
  });
});

describe('a request that creates nothing', () => {
  it.each(ENDPOINTS.filter((endpoint) => endpoint !== 'linkTokens'))(
    '(%s) never sends anyone to look for a link-token, whatever came back',
    (endpoint) => {
      const errors = [
        ...STATUSES[endpoint].map(
          ([status]) => new AtlasResponseError(endpoint, { status, json: null, retryAfterMs: 0 }),
        ),
        new AtlasConnectionError(endpoint, true, 'ECONNRESET'),
        new AtlasConnectionError(endpoint, false, 'CERT_HAS_EXPIRED'),
      ];
      for (const error of errors) {
        const { message, tokenMayExist } = classifyAtlasError(error, 'linkTokens');
        expect([message, tokenMayExist]).toEqual([expect.not.stringContaining('link-token'), false]);
      }
    },
  );
});

describe('a connection that failed', () => {
  it.each<[written: boolean, endpoint: Endpoint, tokenMayExist: boolean]>([
    [false, 'linkTokens', false],
    [true, 'linkTokens', true],
    [false, 'oauthToken', false],
    [true, 'oauthToken', false],
    [true, 'orgs', false],
  ])('(written %j, to %s) is retried; a token may exist: %j', (written, endpoint, tokenMayExist) => {
    const outcome = classifyAtlasError(
      new AtlasConnectionError(endpoint, written, 'ECONNRESET'),
      'linkTokens',
    );
    expect(outcome).toMatchObject({ type: 'AtlasUnavailable', retryable: true, tokenMayExist });
    expect(outcome.details).toEqual({ reason: 'ECONNRESET' });
  });

  it.each([
    [true, 'TIMEOUT', 'Atlas did not respond in time'],
    [
      true,
      'UND_ERR_SOCKET',
      'the connection to Atlas closed before the full response arrived (UND_ERR_SOCKET)',
    ],
    [false, 'ECONNREFUSED', 'no connection to Atlas (ECONNREFUSED)'],
    [false, 'TIMEOUT', 'no connection to Atlas (TIMEOUT)'],
  ])('(written %j) with %s says so', (written, code, message) => {
    expect(
      classifyAtlasError(new AtlasConnectionError('linkTokens', written, code), 'linkTokens').message,
    ).toBe(message);
  });

  it.each([
    'DEPTH_ZERO_SELF_SIGNED_CERT',
    'SELF_SIGNED_CERT_IN_CHAIN',
    'CERT_HAS_EXPIRED',
    'CERT_NOT_YET_VALID',
    'CERT_REVOKED',
    'CERT_UNTRUSTED',
    'ERR_TLS_CERT_ALTNAME_INVALID',
    'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
    'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
    'INVALID_CA',
    'HOSTNAME_MISMATCH',
  ])('for the certificate (%s) is not retried', (code) => {
    const outcome = classifyAtlasError(new AtlasConnectionError('linkTokens', false, code), 'linkTokens');
    expect(outcome).toMatchObject({ type: 'AtlasUnavailable', retryable: false, tokenMayExist: false });
    expect(outcome.message).toBe(
      `the TLS certificate of Atlas is not trusted (${code}): check MONGODB_ATLAS_BASE_URL, or add your CA with NODE_EXTRA_CA_CERTS`,
    );
  });

  it.each(['ERR_SSL_WRONG_VERSION_NUMBER', 'ERR_SSL_TLSV1_ALERT_INTERNAL_ERROR', 'EPROTO', 'ENOTFOUND'])(
    'before the request was written (%s) is retried',
    (code) => {
      expect(
        classifyAtlasError(new AtlasConnectionError('linkTokens', false, code), 'linkTokens').retryable,
      ).toBe(true);
    },
  );
});

describe("an error of the worker's own", () => {
  it.each([
    [new SecretUnavailableError('file a is empty'), 'the credential for Atlas: file a is empty'],
    [
      new CredentialNotConfiguredError('payments'),
      'the worker has no credential named "payments": configure it under atlas.credentials, or correct its name under atlas.organizations, then restart the worker',
    ],
  ])('before anything is sent (%s) is retried, and no token may exist', (error, message) => {
    expect(classifyAtlasError(error, 'linkTokens')).toEqual({
      type: 'AtlasUnavailable',
      retryable: true,
      tokenMayExist: false,
      message,
      details: {},
    });
  });

  it.each([new TypeError('CANARY'), 'CANARY', null, { message: 'CANARY' }])(
    'that is not known (%#) is TokenLost, and its own message goes nowhere',
    (error) => {
      const outcome = classifyAtlasError(error, 'linkTokens');
      expect(outcome).toMatchObject({ type: 'TokenLost', retryable: false, tokenMayExist: true });
      expect(JSON.stringify(outcome)).not.toContain('CANARY');
    },
  );

  it.each(['removeLink', 'availableProjects', 'orgs', 'oauthToken'] as const)(
    'that is not known, of a call of %s, which creates nothing, loses no token',
    (endpoint) =>
      expect(classifyAtlasError(new TypeError('CANARY'), endpoint)).toEqual({
        type: 'AtlasResponseInvalid',
        retryable: false,
        tokenMayExist: false,
        message: 'the worker failed with an unexpected error (TypeError) while it called Atlas: report it',
        details: {},
      }),
  );
});
