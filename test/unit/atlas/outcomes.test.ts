import type { Endpoint } from '../../../src/atlas/credential';
import {
  classifyAtlasError,
  connectionError,
  credentialNotConfigured,
  responseError,
} from '../../../src/atlas/outcomes';
import type { FailureType } from '../../../src/contract/names';
import { SecretUnavailableError } from '../../../src/secrets/references';

function responded(endpoint: Endpoint, status: number, json: unknown = null, retryAfterMs?: number) {
  return responseError(endpoint, { status, json, retryAfterMs }).outcome;
}

const disconnected = (endpoint: Endpoint, written: boolean, code: string) =>
  connectionError(endpoint, written, code, 'https://atlas.test').outcome;

type Expected = [type: FailureType, retryable: boolean, tokenMayExist: boolean];

const REJECTED: Expected = ['AtlasRequestRejected', false, false];
const INVALID: Expected = ['AtlasResponseInvalid', false, false];
const INVALID_UNCONFIRMED: Expected = ['AtlasResponseInvalid', false, true];
const RETRY: Expected = ['AtlasUnavailable', true, false];
const RETRY_UNCONFIRMED: Expected = ['AtlasUnavailable', true, true];

const each = (expected: Expected, ...statuses: number[]): [number, Expected][] =>
  statuses.map((status) => [status, expected]);

const REDIRECTS = [300, 301, 302, 303, 304, 307, 308];
const REFUSALS = [
  400, 401, 402, 403, 404, 405, 406, 407, 409, 410, 415, 418, 421, 422, 423, 424, 428, 451, 499,
];
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
};

describe.each(Object.keys(STATUSES) as Endpoint[])('a response to the request for %s', (endpoint) => {
  it.each(STATUSES[endpoint])('%i means %j: type, retryable, a token may exist', (status, expected) => {
    const { type, retryable, tokenMayExist, details, message } = responded(endpoint, status);
    expect([type, retryable, tokenMayExist]).toEqual(expected);
    expect(details).toEqual({ status });
    // It says what to do exactly where no retry helps, and sends nobody to look for a token that was not requested.
    expect(/^Atlas returned \d+[^;]* to the [a-z-]+ request(, without [^;]+)?; \w/.test(message)).toBe(
      !retryable,
    );
    if (endpoint !== 'linkTokens') expect(message).not.toContain('link-token');
  });

  it.each([
    [429, 7000],
    [503, 7000],
    // No retry follows it.
    [403, undefined],
  ])('%i passes on, of a wait of 7 s that Atlas requests, %p ms', (status, retryAfterMs) => {
    expect(responded(endpoint, status, null, 7000).retryAfterMs).toBe(retryAfterMs);
  });
});

describe('a response to the link-token request', () => {
  it.each([401, 404, 500])(
    'is classified by its status %i even where errorCode is UNEXPECTED_ERROR',
    (status) => {
      const {
        details,
        message: _,
        ...outcome
      } = responded('linkTokens', status, { errorCode: 'UNEXPECTED_ERROR' });
      expect(responded('linkTokens', status)).toMatchObject(outcome);
      expect(details.errorCode).toBe('UNEXPECTED_ERROR');
    },
  );

  it("passes on Atlas's own message", () => {
    const body = { errorCode: 'VALIDATION_ERROR', detail: 'Validation failed.', reason: 'Bad Request' };
    const fields = [{ field: 'accessListIps[0]', description: 'is odd' }];
    const json = { error: 400, ...body, badRequestDetail: { fields }, parameters: [] };
    const { message, details } = responded('linkTokens', 400, json);
    expect(message).toBe(
      'Atlas returned 400 VALIDATION_ERROR to the link-token request: "Validation failed." (accessListIps[0]: is odd); correct the fields that Atlas names, then start again',
    );
    expect(details).toEqual({ status: 400, ...body, fields });
  });

  it.each([429, 503])('%i, which is retried, stays far below the 4 KB that the server keeps', (status) => {
    const long = '€"'.repeat(1000);
    const fields = Array.from({ length: 30 }, () => ({ field: long, description: long }));
    const json = { errorCode: long, detail: long, reason: long, badRequestDetail: { fields } };
    const { message, details } = responded('linkTokens', status, json);
    expect(Buffer.byteLength(message + JSON.stringify(details))).toBeLessThan(3000);
  });

  it.each([
    [
      200,
      /^Atlas returned 200 to the link-token request, without a link-token; check in Atlas whether a link-token was created/,
    ],
    [403, /; give the credential .* role, and add the worker's IP address to its API access list$/],
    [409, /; fix what Atlas reports, then start again$/],
  ])('%i says %s', (status, message) => {
    expect(responded('linkTokens', status).message).toMatch(message);
  });
});

it('403 access_denied to the access-token request is retried, since one of the 100 live tokens soon expires', () => {
  const outcome = responded('oauthToken', 403, { error: 'access_denied', error_description: 'Too many.' });
  expect(outcome).toMatchObject({ type: 'AtlasUnavailable', retryable: true, tokenMayExist: false });
  expect(outcome.message).toBe('Atlas returned 403 access_denied to the access-token request: "Too many."');
  expect(responded('oauthToken', 403, { error: 'invalid_client' }).retryable).toBe(false);
});

const noConnection = (code: string) =>
  `no connection to Atlas at https://atlas.test (${code}); if this lasts, check MONGODB_ATLAS_BASE_URL, DNS, the proxy and the firewall`;

describe('a connection that failed', () => {
  it.each<[endpoint: Endpoint, written: boolean, code: string, message: string]>([
    ['linkTokens', true, 'TIMEOUT', 'Atlas did not respond in time'],
    ['linkTokens', true, 'E', 'the connection to Atlas closed before the full response arrived (E)'],
    ['linkTokens', false, 'TIMEOUT', noConnection('TIMEOUT')],
    ['linkTokens', false, 'ERR_SSL_WRONG_VERSION_NUMBER', noConnection('ERR_SSL_WRONG_VERSION_NUMBER')],
    ['linkTokens', false, 'EPROTO', noConnection('EPROTO')],
    ['oauthToken', false, 'ENOTFOUND', noConnection('ENOTFOUND')],
    ['oauthToken', true, 'TIMEOUT', 'Atlas did not respond in time'],
    ['orgs', true, 'TIMEOUT', 'Atlas did not respond in time'],
    ['availableProjects', true, 'TIMEOUT', 'Atlas did not respond in time'],
  ])('(to %s, written %j, %s) is retried, and says so', (endpoint, written, code, message) => {
    expect(disconnected(endpoint, written, code)).toEqual({
      type: 'AtlasUnavailable',
      retryable: true,
      tokenMayExist: written && endpoint === 'linkTokens',
      message,
      details: { reason: code },
    });
  });

  it('for the certificate, after the request was written, may have left a token', () => {
    const outcome = disconnected('linkTokens', true, 'CERT_HAS_EXPIRED');
    expect(outcome).toMatchObject({ retryable: true, tokenMayExist: true });
  });

  it.each([
    'DEPTH_ZERO_SELF_SIGNED_CERT',
    'SELF_SIGNED_CERT_IN_CHAIN',
    'CERT_HAS_EXPIRED',
    'ERR_TLS_CERT_ALTNAME_INVALID',
    'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
    'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
    'INVALID_CA',
    'HOSTNAME_MISMATCH',
  ])('for the certificate (%s) is not retried', (code) => {
    expect(disconnected('linkTokens', false, code)).toEqual({
      type: 'AtlasUnavailable',
      retryable: false,
      tokenMayExist: false,
      message: `the TLS certificate of Atlas is not trusted (${code}): check MONGODB_ATLAS_BASE_URL, or add your CA with NODE_EXTRA_CA_CERTS`,
      details: { reason: code },
    });
  });
});

describe("an error of the worker's own", () => {
  it.each([
    [new SecretUnavailableError('file a is empty'), 'the credential for Atlas: file a is empty'],
    [
      credentialNotConfigured('payments'),
      'the worker has no credential named "payments": configure it under atlas.credentials, or correct its name under atlas.organizations, then restart the worker',
    ],
  ])('before anything is sent (%s) is retried, and no token may exist', (error, message) => {
    const outcome = { type: 'AtlasUnavailable', retryable: true, tokenMayExist: false, message, details: {} };
    expect(classifyAtlasError(error, 'linkTokens')).toEqual(outcome);
  });

  it.each([new TypeError('CANARY'), 'CANARY', null, { message: 'CANARY' }])(
    'that is not known (%#) is TokenLost where it may have created one, and its own message goes nowhere',
    (error) => {
      const outcome = classifyAtlasError(error, 'linkTokens');
      expect(outcome).toMatchObject({ type: 'TokenLost', retryable: false, tokenMayExist: true });
      expect(JSON.stringify(outcome)).not.toContain('CANARY');
      for (const endpoint of ['availableProjects', 'orgs', 'oauthToken'] as const) {
        const { message, ...others } = classifyAtlasError(error, endpoint);
        const nothing = { type: 'AtlasResponseInvalid', retryable: false, tokenMayExist: false, details: {} };
        expect(others).toEqual(nothing);
        expect(message).toMatch(
          /^the worker failed with an unexpected error \(\w+\) while it called Atlas: /,
        );
      }
    },
  );
});
