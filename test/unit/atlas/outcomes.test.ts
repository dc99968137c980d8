import type { Endpoint } from '../../../src/atlas/credential';
import * as failures from '../../../src/atlas/outcomes';
import type { FailureType } from '../../../src/contract/failure-types';
import { SecretUnavailableError } from '../../../src/secrets/read-secret';

function responded(
  endpoint: Endpoint,
  status: number,
  json: unknown = null,
  retryAfterMs?: number,
) {
  return failures.responseError(endpoint, 'acme', { status, json, retryAfterMs }).failure;
}

/** Holds the type of each outcome, whether it is permanent, and whether a token may exist. */
const OUTCOMES = {
  'fails as AtlasRequestRejected': ['AtlasRequestRejected', true, false],
  'fails as AtlasResponseInvalid': ['AtlasResponseInvalid', true, false],
  'fails as AtlasResponseInvalid, and a token may exist': ['AtlasResponseInvalid', true, true],
  'fails as AtlasUnavailable': ['AtlasUnavailable', true, false],
  'is retried': ['AtlasUnavailable', false, false],
  'is retried, and a token may exist': ['AtlasUnavailable', false, true],
} as const satisfies Record<
  string,
  [type: FailureType, permanent: boolean, tokenMayExist: boolean]
>;

const REFUSALS = [300, 399, 400, 401, 402, 403, 404, 406, 409, 499];
const TEMPORARY = [408, 425, 500, 599];

type Row = [endpoint: Endpoint, outcome: keyof typeof OUTCOMES, statuses: number[]];

const repeatable = (endpoint: Endpoint): Row[] => [
  [endpoint, 'fails as AtlasResponseInvalid', [200, 600]],
  [endpoint, 'fails as AtlasRequestRejected', REFUSALS],
  [endpoint, 'is retried', [429, ...TEMPORARY]],
];

it.each<Row>([
  ['linkTokens', 'fails as AtlasResponseInvalid, and a token may exist', [200, 299, 600]],
  ['linkTokens', 'fails as AtlasRequestRejected', REFUSALS],
  ['linkTokens', 'is retried', [429]],
  ['linkTokens', 'is retried, and a token may exist', TEMPORARY],
  ...repeatable('oauthToken'),
  ...repeatable('orgs'),
  ...repeatable('availableProjects'),
  ...repeatable('apiKeys'),
  // Any 2xx is a success of this one.
  ...repeatable('deleteApiKey').slice(1),
])(
  'a request to %s %s, after each status of %j without usable content',
  (endpoint, name, statuses) => {
    for (const status of statuses) {
      // The error code does not decide, and nothing of a success is quoted: any field may hold a
      // token.
      const json = { errorCode: 'UNEXPECTED_ERROR', detail: 'a detail' };
      const failure = responded(endpoint, status, json, 7000);
      const { type, permanent, tokenMayExist, details, message } = failure;
      expect([status, type, permanent, tokenMayExist]).toEqual([status, ...OUTCOMES[name]]);
      expect(failure.retryAfterMs).toBe(permanent ? undefined : 7000);
      const { errorCode } = json;
      // Nor is a text of the token endpoint, which may hold an access token.
      const refusal = endpoint === 'oauthToken' ? { errorCode } : json;
      expect(details).toEqual({ status, ...(status < 300 ? {} : refusal) });
      expect(message.includes('a detail')).toBe('detail' in details);
      // It says what to do exactly where no retry helps, and sends nobody to look for a token that
      // was not requested.
      const hasRemedy = /^Atlas returned \d+[^;]* to the [a-z-]+ request[^;]*; \w/.test(message);
      expect([status, hasRemedy]).toEqual([status, permanent]);
      if (endpoint !== 'linkTokens') expect(message).not.toContain('link-token');
    }
  },
);

it.each<[status: number, errorCode: string, remedy: string]>([
  [400, 'MAX_API_KEYS_PER_ORG_EXCEEDED', 'delete unused API keys'],
  [401, 'MAX_API_KEYS_PER_ORG_EXCEEDED', 'delete unused API keys'],
  [403, 'MAX_API_KEYS_PER_ORG_EXCEEDED', 'delete unused API keys'],
  [401, 'NOT_ORG_OWNER', 'check that credential acme is valid'],
  [403, 'NOT_ORG_OWNER', 'make credential acme Organization Owner'],
  [403, 'IP_ADDRESS_NOT_ON_ACCESS_LIST', "add the worker's IP address to the API access list"],
])('a refusal of linkTokens with %i and %s says what to do: %s', (status, errorCode, remedy) => {
  expect(responded('linkTokens', status, { errorCode }).message).toContain(`; ${remedy}`);
});

it.each<[endpoint: Endpoint, status: number, remedy: string]>([
  ['oauthToken', 401, 'check the client id and secret of credential acme'],
  ['oauthToken', 404, 'check atlas.baseUrl'],
  ['oauthToken', 403, "add the worker's IP address to the API access list of credential acme"],
  ['orgs', 404, 'check atlas.baseUrl'],
  ['availableProjects', 404, 'check orgId'],
  ['linkTokens', 404, 'check orgId'],
  ['linkTokens', 402, 'resolve the suspension'],
  ['linkTokens', 406, 'Atlas no longer serves'],
  ['linkTokens', 410, 'Atlas no longer serves'],
  ['linkTokens', 415, 'Atlas no longer serves'],
])('a refusal of %s with %i says what to check: %s', (endpoint, status, remedy) => {
  expect(responded(endpoint, status).message).toContain(`; ${remedy}`);
});

it.each(Object.entries(failures.ENDPOINT_RULES))(
  'each row of the table for %s applies to some response',
  (_endpoint, { rows }) => {
    const codes = [
      undefined,
      'IP_ADDRESS_NOT_ON_ACCESS_LIST',
      'MAX_API_KEYS_PER_ORG_EXCEEDED',
      'access_denied',
    ];
    const statuses = Array.from({ length: 500 }, (_, index) => 100 + index);
    const responses = statuses.flatMap((status) => codes.map((code) => [status, code] as const));
    const deciding = new Set(
      responses.map((response) => rows.find(({ when }) => when(...response))),
    );
    expect(rows.filter((row) => !deciding.has(row))).toEqual([]);
  },
);

it('403 access_denied to the access-token request is retried', () => {
  // Atlas permits 100 live access tokens, one of which soon expires.
  const failure = responded('oauthToken', 403, {
    error: 'access_denied',
    error_description: 'Too many.',
  });
  expect(failure).toMatchObject({
    type: 'AtlasUnavailable',
    permanent: false,
    tokenMayExist: false,
  });
  expect(failure.message).toBe('Atlas returned 403 access_denied to the access-token request');
  expect(responded('oauthToken', 403, { error: 'invalid_client' }).permanent).toBe(true);
});

it.each(['error', 'error_description', 'errorCode', 'detail', 'reason'])(
  'an access token in the field %s of a 503 of the token endpoint is not quoted',
  (field) => {
    const { message, details } = responded('oauthToken', 503, { [field]: 'CANARY1eyJhbGciOiJ' });
    expect(message + JSON.stringify(details)).not.toContain('CANARY');
  },
);

it.each<[status: number, json: unknown, isNamed: boolean]>([
  [403, null, true],
  [200, null, true],
  [403, {}, false],
  [503, null, false],
])('after %i with the body %j, a proxy is named: %j', (status, json, isNamed) => {
  const { message } = responded('linkTokens', status, json);
  expect(message.includes('a proxy between the worker and Atlas may have sent it')).toBe(isNamed);
});

describe("Atlas's own message", () => {
  const TEXTS = {
    errorCode: 'VALIDATION_ERROR',
    detail: 'Validation failed.',
    reason: 'Bad Request',
  };
  const FIELD = { field: 'accessListIps[0]', description: 'is odd' };
  /** A body with every field of the specification. */
  const BODY = { ...TEXTS, error: 400, badRequestDetail: { fields: [FIELD] }, parameters: ['x'] };
  const detailsOf = (body: unknown) => responded('linkTokens', 400, body).details;

  it('is passed on', () => {
    const { message, details } = responded('linkTokens', 400, BODY);
    expect(message).toBe(
      'Atlas returned 400 VALIDATION_ERROR to the link-token request: "Validation failed."' +
        ' (accessListIps[0]: is odd); correct the fields that Atlas names, then start again',
    );
    expect(details).toEqual({ status: 400, ...TEXTS, fields: [FIELD] });
  });

  it.each(Object.keys(TEXTS))(
    'is passed on without a malformed %s, and without malformed fields',
    (odd) => {
      const badRequestDetail = { fields: [{ ...FIELD, field: null }, 'text', FIELD] };
      const details = { status: 400, ...TEXTS, fields: [FIELD], [odd]: undefined };
      expect(detailsOf({ ...BODY, badRequestDetail, [odd]: { odd: true } })).toEqual(details);
      expect(detailsOf({ ...TEXTS, badRequestDetail: { odd: true } })).toEqual({
        status: 400,
        ...TEXTS,
      });
    },
  );

  it('is passed on from a body as Atlas sent it in May 2026', () => {
    const texts = { detail: 'Could not find the link.', reason: 'Not Found' };
    const details = detailsOf({ ...texts, error: 404, errorCode: null, parameters: null });
    expect(details).toEqual({ status: 400, ...texts });
  });

  it('is passed on with its first 20 fields, and no others are read', () => {
    const fields = Object.defineProperty(Array(21).fill(FIELD), 20, {
      get: () => expect('the field').toBe('not read'),
    });
    expect(detailsOf({ badRequestDetail: { fields } }).fields).toEqual(Array(20).fill(FIELD));
  });

  it.each([null, [], '<html><h1>503</h1></html>'])('is not found in %j', (body) => {
    expect(detailsOf(body)).toEqual({ status: 400 });
  });

  it('is cut, and shorter in a failure that Temporal retries', () => {
    const long = '€"\u001b\u202e'.repeat(1000);
    const fields = Array(30).fill({ field: long, description: long });
    const json = { errorCode: long, detail: long, reason: long, badRequestDetail: { fields } };
    const bytesOf = (status: number) => {
      const { message, details } = responded('linkTokens', status, json);
      expect(message + JSON.stringify(details)).not.toMatch(/[\u001b\u202e]/);
      return Buffer.byteLength(message + JSON.stringify(details));
    };
    // The server keeps 4 KB of a failure that it retries.
    expect(bytesOf(503)).toBeLessThan(3000);
    expect(bytesOf(400)).toBeLessThan(30_000);
  });
});

const noConnection = 'no connection to Atlas at https://atlas.test';
const untrusted = 'the TLS certificate of Atlas or the proxy is not trusted';
const lost = 'the connection to Atlas closed before the full response to the ';
const late = 'Atlas did not respond to the link-token request within atlas.requestTimeoutMs';

it.each<[string, string, Endpoint, outcome: keyof typeof OUTCOMES, message: string]>([
  ['TIMEOUT', 'after', 'linkTokens', 'is retried, and a token may exist', late],
  [
    'ECONNRESET',
    'after',
    'linkTokens',
    'is retried, and a token may exist',
    `${lost}link-token request arrived`,
  ],
  ['CERT_HAS_EXPIRED', 'after', 'linkTokens', 'is retried, and a token may exist', lost],
  ['TIMEOUT', 'before', 'linkTokens', 'is retried', noConnection],
  ['EPROTO', 'before', 'linkTokens', 'is retried', noConnection],
  ['ECONNRESET', 'after', 'orgs', 'is retried', `${lost}organizations request arrived`],
  ['DEPTH_ZERO_SELF_SIGNED_CERT', 'before', 'linkTokens', 'fails as AtlasUnavailable', untrusted],
  ['CERT_HAS_EXPIRED', 'before', 'linkTokens', 'fails as AtlasUnavailable', untrusted],
  [
    'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
    'before',
    'linkTokens',
    'fails as AtlasUnavailable',
    untrusted,
  ],
])(
  'a connection that failed with %s %s the request to %s was written %s: %s',
  (code, when, endpoint, name, message) => {
    const [type, permanent, tokenMayExist] = OUTCOMES[name];
    const { failure } = failures.connectionError(
      endpoint,
      when === 'after',
      code,
      'https://atlas.test',
    );
    expect(failure).toEqual({
      type,
      permanent,
      tokenMayExist,
      details: { reason: code },
      message: expect.stringContaining(message),
    });
  },
);

describe('an error of the worker itself', () => {
  const NOT_CONFIGURED = 'the worker has no credential named "payments": configure it';

  it.each([
    [
      'a secret',
      new SecretUnavailableError('file a is empty'),
      'cannot use the credential for Atlas: file a is empty',
    ],
    ['a credential', failures.credentialNotConfigured('payments'), NOT_CONFIGURED],
  ])('about %s is retried, and no token can exist', (_what, error, message) => {
    const failure = failures.classifyAtlasError(error, 'linkTokens');
    expect(failure).toMatchObject({
      type: 'AtlasUnavailable',
      permanent: false,
      tokenMayExist: false,
    });
    expect(failure.message).toContain(message);
  });

  it.each([
    ['unknown', new TypeError('CANARY')],
    ['a string', 'CANARY'],
    ['null', null],
  ])('that is %s during a link-token request is TokenLost, and never quoted', (_what, error) => {
    const failure = failures.classifyAtlasError(error, 'linkTokens');
    expect(failure).toMatchObject({ type: 'TokenLost', permanent: true, tokenMayExist: true });
    expect(JSON.stringify(failure)).not.toContain('CANARY');
  });

  it.each([
    ['unknown', new TypeError('CANARY')],
    ['null', null],
  ])('that is %s during a request that creates nothing is AtlasResponseInvalid', (_what, error) => {
    const harmless = { type: 'AtlasResponseInvalid', permanent: true, tokenMayExist: false };
    expect(failures.classifyAtlasError(error, 'orgs')).toMatchObject(harmless);
  });
});
