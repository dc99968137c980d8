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

type Expected = [type: FailureType, retryable: boolean, tokenMayExist: boolean];

const REJECTED: Expected = ['AtlasRequestRejected', false, false];
const INVALID: Expected = ['AtlasResponseInvalid', false, false];
const INVALID_UNCONFIRMED: Expected = ['AtlasResponseInvalid', false, true];
const RETRY: Expected = ['AtlasUnavailable', true, false];
const RETRY_UNCONFIRMED: Expected = ['AtlasUnavailable', true, true];

const REDIRECTS = [300, 307, 399];
const REFUSALS = [400, 401, 402, 403, 404, 406, 409, 410, 415, 422, 499];
const SERVER_ERRORS = [500, 503, 599];

type Rows = [expected: Expected, statuses: number[]][];

const REPEATABLE: Rows = [
  [INVALID, [200, 204, 600]],
  [REJECTED, [...REDIRECTS, ...REFUSALS]],
  [RETRY, [408, 425, 429, ...SERVER_ERRORS]],
];
const STATUSES: Record<Endpoint, Rows> = {
  linkTokens: [
    [INVALID_UNCONFIRMED, [200, 299, 600]],
    [REJECTED, [...REDIRECTS, ...REFUSALS]],
    [RETRY, [429]],
    [RETRY_UNCONFIRMED, [408, 425, ...SERVER_ERRORS]],
  ],
  oauthToken: [
    [INVALID, [200, 204]],
    [REJECTED, [...REDIRECTS, ...REFUSALS, 600]],
    [RETRY, [408, 425, 429, ...SERVER_ERRORS]],
  ],
  orgs: REPEATABLE,
  availableProjects: REPEATABLE,
};

describe.each(Object.entries(STATUSES))('a response to the request for %s', (name, rows) => {
  const endpoint = name as Endpoint;

  it.each(rows)('means %j (type, retryable, a token may exist) with each of %j', (expected, statuses) => {
    for (const status of statuses) {
      const { type, retryable, tokenMayExist, details, message } = responded(endpoint, status);
      expect([status, type, retryable, tokenMayExist]).toEqual([status, ...expected]);
      expect(details).toEqual({ status });
      // It says what to do exactly where no retry helps, and sends nobody to look for a token that was not requested.
      const hasRemedy = /^Atlas returned \d+[^;]* to the [a-z-]+ request(, without [^;]+)?; \w/.test(message);
      expect([status, hasRemedy]).toEqual([status, !retryable]);
      if (endpoint !== 'linkTokens') expect(message).not.toContain('link-token');
    }
  });
});

it.each([
  [429, 7000],
  [403, undefined],
])('%i passes on, of a wait of 7 s that Atlas requests, %p ms', (status, retryAfterMs) => {
  expect(responded('linkTokens', status, null, 7000).retryAfterMs).toBe(retryAfterMs);
});

describe('a response to the link-token request', () => {
  it.each([401, 404, 500])('is classified by its status %i, also with an errorCode', (status) => {
    const { type, retryable } = responded('linkTokens', status);
    const withCode = responded('linkTokens', status, { errorCode: 'UNEXPECTED_ERROR' });
    expect(withCode).toMatchObject({ type, retryable, details: { errorCode: 'UNEXPECTED_ERROR' } });
  });

  it('is not quoted if it is a success, whose every field may hold a token', () => {
    const outcome = responded('linkTokens', 201, { detail: 'CANARY', reason: 'CANARY', errorCode: 'CANARY' });
    expect(JSON.stringify(outcome)).not.toContain('CANARY');
  });

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

  it('that is retried stays far below the 4 KB that the server keeps', () => {
    const long = '€"'.repeat(1000);
    const fields = Array.from({ length: 30 }, () => ({ field: long, description: long }));
    const json = { errorCode: long, detail: long, reason: long, badRequestDetail: { fields } };
    const { message, details } = responded('linkTokens', 503, json);
    expect(Buffer.byteLength(message + JSON.stringify(details))).toBeLessThan(3000);
  });
});

it('403 access_denied to the access-token request is retried, since one of the 100 live tokens soon expires', () => {
  const outcome = responded('oauthToken', 403, { error: 'access_denied', error_description: 'Too many.' });
  expect(outcome).toMatchObject({ type: 'AtlasUnavailable', retryable: true, tokenMayExist: false });
  expect(outcome.message).toBe('Atlas returned 403 access_denied to the access-token request: "Too many."');
  expect(responded('oauthToken', 403, { error: 'invalid_client' }).retryable).toBe(false);
});

describe('a connection that failed', () => {
  const noConnection = 'no connection to Atlas at https://atlas.test (';
  const untrusted = 'the TLS certificate of Atlas is not trusted (';
  const lost = 'the connection to Atlas closed before the full response arrived (';
  const late = 'Atlas did not respond in time';

  it.each<
    [Endpoint, written: boolean, code: string, message: string, retryable: boolean, unconfirmed: boolean]
  >([
    ['linkTokens', true, 'TIMEOUT', late, true, true],
    ['linkTokens', true, 'ECONNRESET', lost, true, true],
    ['linkTokens', true, 'CERT_HAS_EXPIRED', lost, true, true],
    ['linkTokens', false, 'TIMEOUT', noConnection, true, false],
    ['linkTokens', false, 'EPROTO', noConnection, true, false],
    ['linkTokens', false, 'ERR_SSL_WRONG_VERSION_NUMBER', noConnection, true, false],
    ['oauthToken', true, 'TIMEOUT', late, true, false],
    ['orgs', true, 'ECONNRESET', lost, true, false],
    ['linkTokens', false, 'DEPTH_ZERO_SELF_SIGNED_CERT', untrusted, false, false],
    ['linkTokens', false, 'SELF_SIGNED_CERT_IN_CHAIN', untrusted, false, false],
    ['linkTokens', false, 'CERT_HAS_EXPIRED', untrusted, false, false],
    ['linkTokens', false, 'ERR_TLS_CERT_ALTNAME_INVALID', untrusted, false, false],
    ['linkTokens', false, 'UNABLE_TO_VERIFY_LEAF_SIGNATURE', untrusted, false, false],
    ['linkTokens', false, 'INVALID_CA', untrusted, false, false],
    ['linkTokens', false, 'HOSTNAME_MISMATCH', untrusted, false, false],
  ])('(to %s, written %j, %s) says: %s', (endpoint, written, code, message, retryable, tokenMayExist) => {
    const { outcome } = connectionError(endpoint, written, code, 'https://atlas.test');
    expect(outcome).toEqual({
      ...{ type: 'AtlasUnavailable', retryable, tokenMayExist, details: { reason: code } },
      message: expect.stringContaining(message),
    });
    if (code !== 'TIMEOUT') expect(outcome.message).toContain(`(${code})`);
  });
});

describe("an error of the worker's own", () => {
  it.each([
    [new SecretUnavailableError('file a is empty'), 'the credential for Atlas: file a is empty'],
    [credentialNotConfigured('payments'), 'the worker has no credential named "payments": configure it'],
  ])('before anything is sent (%s) is retried, and no token may exist', (error, message) => {
    const outcome = classifyAtlasError(error, 'linkTokens');
    expect(outcome).toMatchObject({ type: 'AtlasUnavailable', retryable: true, tokenMayExist: false });
    expect(outcome.message).toContain(message);
  });

  it.each([new TypeError('CANARY'), 'CANARY', null])(
    'that is not known (%#) is TokenLost where it may have created one, and its own message goes nowhere',
    (error) => {
      const outcome = classifyAtlasError(error, 'linkTokens');
      expect(outcome).toMatchObject({ type: 'TokenLost', retryable: false, tokenMayExist: true });
      expect(JSON.stringify(outcome)).not.toContain('CANARY');
      const harmless = { type: 'AtlasResponseInvalid', retryable: false, tokenMayExist: false };
      expect(classifyAtlasError(error, 'orgs')).toMatchObject(harmless);
    },
  );
});
