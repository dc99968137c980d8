import { judgeAtlasError } from '../../src/activities/atlas-verdicts';
import { AtlasAnswerError, AtlasConnectionError } from '../../src/atlas/errors';
import type { Endpoint } from '../../src/atlas/messages';
import type { FailureType } from '../../src/contract/names';
import { SecretUnavailableError } from '../../src/secrets';

function answered(endpoint: Endpoint, status: number, body: unknown = '', retryAfterMs?: number) {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  return judgeAtlasError(
    new AtlasAnswerError(endpoint, { status, body: text, challenge: null, retryAfterMs }),
  );
}

type Outcome = [type: FailureType, retryable: boolean, perhapsMinted: boolean];

const REJECTED: Outcome = ['AtlasRequestRejected', false, false];
const RETRY: Outcome = ['AtlasUnavailable', true, false];
const RETRY_PERHAPS: Outcome = ['AtlasUnavailable', true, true];

const statuses = (outcome: Outcome, ...list: number[]): [number, Outcome][] =>
  list.map((status) => [status, outcome]);

const LINK_TOKENS: [status: number, outcome: Outcome][] = [
  ...statuses(['AtlasResponseInvalid', false, true], 200, 201, 202, 204, 299),
  ...statuses(REJECTED, 300, 301, 302, 303, 304, 307, 308),
  ...statuses(
    REJECTED,
    400,
    401,
    402,
    403,
    404,
    405,
    406,
    407,
    409,
    410,
    415,
    418,
    422,
    423,
    424,
    428,
    451,
    499,
  ),
  ...statuses(RETRY_PERHAPS, 408, 425),
  ...statuses(RETRY, 429),
  ...statuses(RETRY_PERHAPS, 500, 501, 502, 503, 504, 520, 524, 599),
  ...statuses(['AtlasResponseInvalid', false, true], 600, 999),
];

const ACCESS_TOKEN: [status: number, outcome: Outcome][] = [
  ...statuses(['AtlasResponseInvalid', false, false], 200, 201, 204),
  ...statuses(REJECTED, 301, 302, 307, 308),
  ...statuses(REJECTED, 400, 401, 402, 403, 404, 405, 406, 410, 415, 422),
  ...statuses(RETRY, 408, 425, 429, 500, 502, 503, 504, 599),
];

describe('an answer to the link-token call', () => {
  it.each(LINK_TOKENS)('%i means %j: type, retryable, perhaps a token', (status, outcome) => {
    const { type, retryable, perhapsMinted, details } = answered('linkTokens', status);
    expect([type, retryable, perhapsMinted]).toEqual(outcome);
    expect(details.status).toBe(status);
  });

  it.each([401, 404, 500])(
    'is judged by its status %i even where errorCode is UNEXPECTED_ERROR',
    (status) => {
      const { retryable, details } = answered('linkTokens', status, { errorCode: 'UNEXPECTED_ERROR' });
      expect([retryable, details.errorCode]).toEqual([status === 500, 'UNEXPECTED_ERROR']);
    },
  );

  it.each(LINK_TOKENS.filter(([, [, retryable]]) => !retryable))('%i says what to do', (status) => {
    expect(answered('linkTokens', status).message).toMatch(
      /^Atlas answered \d+.* to the link-token call; \w+/,
    );
  });

  it("hands on Atlas's own words", () => {
    const verdict = answered('linkTokens', 400, {
      error: 400,
      errorCode: 'VALIDATION_ERROR',
      detail: 'Validation failed.',
      reason: 'Bad Request',
      badRequestDetail: { fields: [{ field: 'accessListIps[0]', description: 'is odd' }] },
      parameters: [],
    });
    expect(verdict.message).toMatch(
      /^Atlas answered 400 VALIDATION_ERROR to the link-token call: "Validation failed\." \(accessListIps\[0\]: is odd\); /,
    );
    expect(verdict.details).toEqual({
      status: 400,
      errorCode: 'VALIDATION_ERROR',
      detail: 'Validation failed.',
      reason: 'Bad Request',
      fields: [{ field: 'accessListIps[0]', description: 'is odd' }],
    });
  });

  it.each([429, 503, 500])('%i hands on the wait that Atlas asks for', (status) => {
    expect(answered('linkTokens', status, '', 7000).retryAfterMs).toBe(7000);
  });
});

describe('an answer to the request for an access token', () => {
  it.each(ACCESS_TOKEN)('%i means %j: type, retryable, perhaps a token', (status, outcome) => {
    const { type, retryable, perhapsMinted } = answered('oauthToken', status);
    expect([type, retryable, perhapsMinted]).toEqual(outcome);
  });

  it('403 access_denied is retried, since one of the 100 live tokens soon expires', () => {
    const verdict = answered('oauthToken', 403, { error: 'access_denied', error_description: 'Too many.' });
    expect(verdict).toMatchObject({ type: 'AtlasUnavailable', retryable: true, perhapsMinted: false });
    expect(verdict.message).toBe(
      'Atlas answered 403 access_denied to the request for an access token: "Too many."',
    );
  });

  it('403 for another reason is not', () => {
    expect(answered('oauthToken', 403, { error: 'invalid_client' }).retryable).toBe(false);
  });
});

describe('a connection that failed', () => {
  it.each<[written: boolean, endpoint: Endpoint, perhapsMinted: boolean]>([
    [false, 'linkTokens', false],
    [true, 'linkTokens', true],
    [false, 'oauthToken', false],
    [true, 'oauthToken', false],
  ])('(written %j, to %s) is retried; perhaps a token: %j', (written, endpoint, perhapsMinted) => {
    const verdict = judgeAtlasError(new AtlasConnectionError(endpoint, written, 'ECONNRESET'));
    expect(verdict).toMatchObject({ type: 'AtlasUnavailable', retryable: true, perhapsMinted });
    expect(verdict.details).toEqual({ reason: 'ECONNRESET' });
  });

  it.each([
    [true, 'TIMEOUT', 'Atlas did not answer in time'],
    [true, 'UND_ERR_SOCKET', 'the connection to Atlas broke before its answer was whole (UND_ERR_SOCKET)'],
    [false, 'ECONNREFUSED', 'no connection to Atlas (ECONNREFUSED)'],
    [false, 'TIMEOUT', 'no connection to Atlas (TIMEOUT)'],
  ])('(written %j) with %s says so', (written, code, message) => {
    expect(judgeAtlasError(new AtlasConnectionError('linkTokens', written, code)).message).toBe(message);
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
    const verdict = judgeAtlasError(new AtlasConnectionError('linkTokens', false, code));
    expect(verdict).toMatchObject({ type: 'AtlasUnavailable', retryable: false, perhapsMinted: false });
    expect(verdict.message).toMatch(/NODE_EXTRA_CA_CERTS/);
  });

  it.each(['ERR_SSL_WRONG_VERSION_NUMBER', 'ERR_SSL_TLSV1_ALERT_INTERNAL_ERROR', 'EPROTO', 'ENOTFOUND'])(
    'before the request was written (%s) is retried',
    (code) => {
      expect(judgeAtlasError(new AtlasConnectionError('linkTokens', false, code)).retryable).toBe(true);
    },
  );
});

describe('an error of our own', () => {
  it('about a secret that cannot be read is retried: nothing was sent', () => {
    const verdict = judgeAtlasError(new SecretUnavailableError('file a is empty'));
    expect(verdict).toMatchObject({ type: 'AtlasUnavailable', retryable: true, perhapsMinted: false });
    expect(verdict.message).toBe('the credential for Atlas: file a is empty');
  });

  it.each([new TypeError('CANARY'), 'CANARY', null, { message: 'CANARY' }])(
    'that is not known (%#) ends the run as TokenLost, without its words',
    (error) => {
      const verdict = judgeAtlasError(error);
      expect(verdict).toMatchObject({ type: 'TokenLost', retryable: false, perhapsMinted: true });
      expect(JSON.stringify(verdict)).not.toContain('CANARY');
    },
  );
});
