import type { Fault } from '../../../dev/atlas-emulator';
import type { CredentialType } from '../../support/atlas';
import type { Ending } from '../../support/ending';

/** Shorter than the fault that hangs, and longer than a busy machine takes for an answer. */
export const REQUEST_TIMEOUT_MS = 1500;

/** One outcome of the link-token call, and what a run with it has to end with. */
export interface Row {
  what: string;
  faults: Fault[];
  /** What has run out when the run starts. */
  expire?: 'accessTokens' | 'nonces';
  type: Ending['type'];
  /** Requests for a link-token that Atlas sees; Digest challenges are none. */
  posts: number;
  unconfirmedTokens: number;
  /** Link-tokens that Atlas creates. */
  tokens: number;
}

type Expected = Pick<Row, 'type' | 'posts' | 'unconfirmedTokens'>;

const on = 'linkTokens';
const HANG_MS = REQUEST_TIMEOUT_MS + 1000;

const delivered: Expected = { type: 'delivered', posts: 1, unconfirmedTokens: 0 };
const afterRetry: Expected = { ...delivered, posts: 2 };
const perhapsMinted: Expected = { ...afterRetry, unconfirmedTokens: 1 };
const rejected: Expected = { type: 'AtlasRequestRejected', posts: 1, unconfirmedTokens: 0 };
const invalid: Expected = { type: 'AtlasResponseInvalid', posts: 1, unconfirmedTokens: 1 };

function row(
  what: string,
  faults: Fault | Fault[],
  expected: Expected,
  more: Pick<Row, 'expire'> & { tokens?: number } = {},
): Row {
  const tokens = expected.type === 'delivered' ? 1 : 0;
  return { what, faults: [faults].flat(), tokens, ...expected, ...more };
}

const SUCCESSES = [
  row('201 with a token', [], delivered),
  row('200 where 201 is usual', { on, status: 200 }, delivered),
  row('202 with a token', { on, status: 202 }, delivered),
  row('more fields than are known', { on, status: 201, body: { linkToken: 'x', extra: [1] } }, delivered, {
    tokens: 0,
  }),
  row('a token of 500 KB', { on, status: 201, body: { linkToken: 'x'.repeat(500_000) } }, delivered, {
    tokens: 0,
  }),
  row('a gzipped answer', { on, gzip: true }, delivered),
  row('an answer that drips in', { on, drip: { bytes: 200, intervalMs: 20 } }, delivered),
  row('a token under a wrong content type', { on, contentType: 'text/plain' }, delivered),
];

const SUCCESSES_WITHOUT_TOKEN = [
  row('2xx without a token', { on, status: 201, body: {} }, invalid),
  row('2xx with an empty token', { on, status: 201, body: { linkToken: '' } }, invalid),
  row('2xx with a token that is no text', { on, status: 200, body: { linkToken: 7 } }, invalid),
  row('2xx with an empty body', { on, status: 201, body: '' }, invalid),
  row('2xx with a page in HTML', { on, status: 200, html: true }, invalid),
  row('2xx with half a JSON', { on, status: 201, body: '{"linkTok' }, invalid),
];

const REFUSALS = [
  ...[400, 402, 403, 404, 405, 406, 409, 410, 415, 418, 422, 451].map((status) =>
    row(`${status}`, { on, status }, rejected),
  ),
  row('403 with a page in HTML', { on, status: 403, html: true }, rejected),
  row('400 with an empty body', { on, status: 400, body: '' }, rejected),
  row('404 whose body breaks off', { on, status: 404, reset: 'mid-body' }, rejected),
  ...[301, 302, 303, 307, 308].map((status) =>
    row(`${status}, which is not followed`, { on, status, headers: { Location: '/elsewhere' } }, rejected),
  ),
];

const RETRIED = [
  row('429 without Retry-After', { on, status: 429 }, afterRetry),
  ...[408, 425, 500, 502, 503, 504, 599].map((status) => row(`${status}`, { on, status }, perhapsMinted)),
  row('500 although a token was created', { on, status: 500, afterCreating: true }, perhapsMinted, {
    tokens: 2,
  }),
  row('503 with a page in HTML', { on, status: 503, html: true }, perhapsMinted),
  row('503 with an empty body', { on, status: 503, body: '' }, perhapsMinted),
  row('a reset before the answer', { on, reset: 'before-body' }, perhapsMinted),
  row('a reset, a token created', { on, reset: 'before-body', afterCreating: true }, perhapsMinted, {
    tokens: 2,
  }),
  row('a reset behind the headers', { on, reset: 'after-headers' }, perhapsMinted, { tokens: 2 }),
  row('a reset within the body', { on, reset: 'mid-body' }, perhapsMinted, { tokens: 2 }),
  row('a body that ends early', { on, truncate: true }, perhapsMinted, { tokens: 2 }),
  row('no answer in time', { on, delayMs: HANG_MS, status: 500 }, perhapsMinted),
  row('no answer in time, a token created', { on, delayMs: HANG_MS, afterCreating: true }, perhapsMinted, {
    tokens: 2,
  }),
];

const MIXES = [
  row(
    '429, 500, a reset and 503, and then a token',
    [
      { on, status: 429 },
      { on, status: 500 },
      { on, reset: 'before-body', afterCreating: true },
      { on, status: 503, html: true },
    ],
    { type: 'delivered', posts: 5, unconfirmedTokens: 3 },
    { tokens: 2 },
  ),
  row(
    '500 and then 403',
    [
      { on, status: 500 },
      { on, status: 403 },
    ],
    {
      ...rejected,
      posts: 2,
      unconfirmedTokens: 1,
    },
  ),
  row(
    '500 and then 2xx without a token',
    [
      { on, status: 500 },
      { on, status: 200, body: {} },
    ],
    {
      ...invalid,
      posts: 2,
      unconfirmedTokens: 2,
    },
  ),
];

/** Here a worker has no live access token, so that its first POST is answered with 401 and it asks for another. */
function withoutAccessToken(what: string, faults: Fault | Fault[], expected: Expected): Row {
  return row(`${what} to the request for an access token`, faults, expected, { expire: 'accessTokens' });
}

const OF_CREDENTIAL: Record<CredentialType, Row[]> = {
  serviceAccount: [
    row('401 to an expired access token, renewed within the attempt', [], afterRetry, {
      expire: 'accessTokens',
    }),
    row('401 to a renewed access token as well', { on, status: 401, times: 2 }, { ...rejected, posts: 2 }),
    withoutAccessToken(
      '403 access_denied',
      { on: 'oauth', errorCode: 'access_denied', status: 403 },
      afterRetry,
    ),
    withoutAccessToken('429', { on: 'oauth', status: 429 }, afterRetry),
    withoutAccessToken('500', { on: 'oauth', status: 500 }, afterRetry),
    withoutAccessToken('503 with a page in HTML', { on: 'oauth', html: true, status: 503 }, afterRetry),
    withoutAccessToken('a reset', { on: 'oauth', reset: 'before-body' }, afterRetry),
    withoutAccessToken('no answer in time', { on: 'oauth', delayMs: HANG_MS }, afterRetry),
    withoutAccessToken('401', { on: 'oauth', status: 401, errorCode: 'invalid_client' }, rejected),
    withoutAccessToken('403', { on: 'oauth', status: 403, errorCode: 'other' }, rejected),
    withoutAccessToken('302', { on: 'oauth', status: 302, headers: { Location: '/elsewhere' } }, rejected),
    withoutAccessToken(
      '200 without an access token',
      { on: 'oauth', status: 200, body: {} },
      {
        ...invalid,
        unconfirmedTokens: 0,
      },
    ),
  ],
  apiKey: [
    row('a stale nonce, renewed within the attempt', [], delivered, { expire: 'nonces' }),
    row('401', { on, status: 401 }, rejected),
  ],
};

export function rowsFor(credential: CredentialType): Row[] {
  return [
    ...SUCCESSES,
    ...SUCCESSES_WITHOUT_TOKEN,
    ...REFUSALS,
    ...RETRIED,
    ...MIXES,
    ...OF_CREDENTIAL[credential],
  ];
}

/** One of each kind: the status inside decides, and what comes without an envelope stands for itself. */
const IN_ENVELOPE =
  /^(201 with a token|2xx without a token|2xx with a page in HTML|400|403 with a page in HTML|429 without Retry-After|500|503 with a page in HTML|a reset within the body|401 to an expired.*|a stale nonce.*)$/;

export function envelopedRowsFor(credential: CredentialType): Row[] {
  return rowsFor(credential).filter(({ what }) => IN_ENVELOPE.test(what));
}
