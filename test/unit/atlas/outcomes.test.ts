import type { Endpoint } from '../../../src/atlas/credential';
import {
  ENDPOINT_RULES,
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

const REFUSALS = [300, 399, 400, 401, 402, 403, 404, 406, 409, 499];
const TEMPORARY = [408, 425, 500, 599];

type Row = [endpoint: Endpoint, expected: Expected, statuses: number[]];

const repeatable = (endpoint: Endpoint): Row[] => [
  [endpoint, INVALID, [200, 600]],
  [endpoint, REJECTED, REFUSALS],
  [endpoint, RETRY, [429, ...TEMPORARY]],
];

it.each<Row>([
  ['linkTokens', INVALID_UNCONFIRMED, [200, 299, 600]],
  ['linkTokens', REJECTED, REFUSALS],
  ['linkTokens', RETRY, [429]],
  ['linkTokens', RETRY_UNCONFIRMED, TEMPORARY],
  ['oauthToken', INVALID, [200]],
  ['oauthToken', REJECTED, [...REFUSALS, 600]],
  ['oauthToken', RETRY, [429, ...TEMPORARY]],
  ...repeatable('orgs'),
  ...repeatable('availableProjects'),
])('%s means %j (type, retryable, a token may exist) with each of %j', (endpoint, expected, statuses) => {
  for (const status of statuses) {
    // The error code does not decide, and nothing of a success is quoted: any field may hold a token.
    const json = { errorCode: 'UNEXPECTED_ERROR', detail: 'a detail' };
    const outcome = responded(endpoint, status, json, 7000);
    const { type, retryable, tokenMayExist, details, message } = outcome;
    expect([status, type, retryable, tokenMayExist]).toEqual([status, ...expected]);
    expect(outcome.retryAfterMs).toBe(retryable ? 7000 : undefined);
    expect(details).toEqual({ status, ...(status >= 300 && json) });
    expect(message.includes('a detail')).toBe(status >= 300);
    // It says what to do exactly where no retry helps, and sends nobody to look for a token that was not requested.
    const hasRemedy = /^Atlas returned \d+[^;]* to the [a-z-]+ request[^;]*; \w/.test(message);
    expect([status, hasRemedy]).toEqual([status, !retryable]);
    if (endpoint !== 'linkTokens') expect(message).not.toContain('link-token');
  }
});

it.each(Object.entries(ENDPOINT_RULES))('each row of %s decides on some response', (_endpoint, { rows }) => {
  const codes = [undefined, 'IP_ADDRESS_NOT_ON_ACCESS_LIST', 'access_denied'];
  const statuses = Array.from({ length: 500 }, (_, index) => 100 + index);
  const responses = statuses.flatMap((status) => codes.map((code) => [status, code] as const));
  const deciding = new Set(responses.map((response) => rows.find(({ when }) => when(...response))));
  expect(rows.filter((row) => !deciding.has(row))).toEqual([]);
});

it('403 access_denied to the access-token request is retried, since one of the 100 live tokens soon expires', () => {
  const outcome = responded('oauthToken', 403, { error: 'access_denied', error_description: 'Too many.' });
  expect(outcome).toMatchObject({ type: 'AtlasUnavailable', retryable: true, tokenMayExist: false });
  expect(outcome.message).toBe('Atlas returned 403 access_denied to the access-token request: "Too many."');
  expect(responded('oauthToken', 403, { error: 'invalid_client' }).retryable).toBe(false);
});

describe("Atlas's own message", () => {
  const TEXTS = { errorCode: 'VALIDATION_ERROR', detail: 'Validation failed.', reason: 'Bad Request' };
  const FIELD = { field: 'accessListIps[0]', description: 'is odd' };
  /** A body with every field of the specification. */
  const BODY = { ...TEXTS, error: 400, badRequestDetail: { fields: [FIELD] }, parameters: ['x'] };
  const detailsOf = (body: unknown) => responded('linkTokens', 400, body).details;

  it('is passed on', () => {
    const { message, details } = responded('linkTokens', 400, BODY);
    expect(message).toBe(
      'Atlas returned 400 VALIDATION_ERROR to the link-token request: "Validation failed." (accessListIps[0]: is odd); correct the fields that Atlas names, then start again',
    );
    expect(details).toEqual({ status: 400, ...TEXTS, fields: [FIELD] });
  });

  it.each(Object.keys(TEXTS))(
    'is passed on without %s, if that is odd, and without fields of no name',
    (odd) => {
      const badRequestDetail = { fields: [{ ...FIELD, field: null }, 'text', FIELD] };
      const details = { status: 400, ...TEXTS, fields: [FIELD], [odd]: undefined };
      expect(detailsOf({ ...BODY, badRequestDetail, [odd]: { odd: true } })).toEqual(details);
      expect(detailsOf({ ...TEXTS, badRequestDetail: { odd: true } })).toEqual({ status: 400, ...TEXTS });
    },
  );

  it('is passed on from the body that Atlas was recorded with in May 2026', () => {
    const texts = { detail: 'Could not find the link.', reason: 'Not Found' };
    expect(detailsOf({ ...texts, error: 404, errorCode: null, parameters: null })).toEqual({
      status: 400,
      ...texts,
    });
  });

  it('is passed on with the first 20 fields, and the others are not read', () => {
    const fields = Object.defineProperty(Array(21).fill(FIELD), 20, {
      get: () => expect('the field').toBe('not read'),
    });
    expect(detailsOf({ badRequestDetail: { fields } }).fields).toEqual(Array(20).fill(FIELD));
  });

  it.each([null, [], '<html><h1>503</h1></html>'])('is not found in %j', (body) => {
    expect(detailsOf(body)).toEqual({ status: 400 });
  });

  it('is bounded: in history, and below the 4 KB that the server keeps of a failure that is retried', () => {
    const long = '€"\u001b\u202e'.repeat(1000);
    const fields = Array(30).fill({ field: long, description: long });
    const json = { errorCode: long, detail: long, reason: long, badRequestDetail: { fields } };
    const bytesOf = (status: number) => {
      const { message, details } = responded('linkTokens', status, json);
      expect(message + JSON.stringify(details)).not.toMatch(/[\u001b\u202e]/);
      return Buffer.byteLength(message + JSON.stringify(details));
    };
    expect(bytesOf(503)).toBeLessThan(3000);
    expect(bytesOf(400)).toBeLessThan(30_000);
  });
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
    ['orgs', true, 'ECONNRESET', lost, true, false],
    ['linkTokens', false, 'DEPTH_ZERO_SELF_SIGNED_CERT', untrusted, false, false],
    ['linkTokens', false, 'CERT_HAS_EXPIRED', untrusted, false, false],
    ['linkTokens', false, 'UNABLE_TO_VERIFY_LEAF_SIGNATURE', untrusted, false, false],
  ])('(to %s, written %j, %s) says: %s', (endpoint, written, code, message, retryable, tokenMayExist) => {
    const { outcome } = connectionError(endpoint, written, code, 'https://atlas.test');
    expect(outcome).toEqual({
      ...{ type: 'AtlasUnavailable', retryable, tokenMayExist, details: { reason: code } },
      message: expect.stringContaining(message),
    });
  });
});

describe("an error of the worker's own", () => {
  it.each([
    ['a secret', new SecretUnavailableError('file a is empty'), 'the credential for Atlas: file a is empty'],
    [
      'a credential',
      credentialNotConfigured('payments'),
      'the worker has no credential named "payments": configure it',
    ],
  ])('about %s, before anything is sent, is retried, and no token may exist', (_what, error, message) => {
    const outcome = classifyAtlasError(error, 'linkTokens');
    expect(outcome).toMatchObject({ type: 'AtlasUnavailable', retryable: true, tokenMayExist: false });
    expect(outcome.message).toContain(message);
  });

  it.each([
    ['an unknown error', new TypeError('CANARY')],
    ['a string', 'CANARY'],
    ['null', null],
  ])(
    'that throws %s is TokenLost where it may have created one, and its own message goes nowhere',
    (_what, error) => {
      const outcome = classifyAtlasError(error, 'linkTokens');
      expect(outcome).toMatchObject({ type: 'TokenLost', retryable: false, tokenMayExist: true });
      expect(JSON.stringify(outcome)).not.toContain('CANARY');
      const harmless = { type: 'AtlasResponseInvalid', retryable: false, tokenMayExist: false };
      expect(classifyAtlasError(error, 'orgs')).toMatchObject(harmless);
    },
  );
});
