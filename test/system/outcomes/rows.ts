import type { Fault } from '../../../dev/atlas-emulator';
import type { CredentialType } from '../../support/atlas';
import type { Ending } from '../../support/ending';

/** One outcome of the link-token call, and what a run with it has to end with. */
export interface Row {
  what: string;
  faults: Fault[];
  /** The credential that has expired when the run starts. */
  expire?: 'accessTokens' | 'nonces';
  /** Runs in an envelope too: the status inside decides, and what comes without an envelope stands for itself. */
  enveloped?: boolean;
  type: Ending['type'];
  /** Requests for a link-token that Atlas sees; Digest challenges are none. */
  posts: number;
  unconfirmedTokens: number;
  /** Link-tokens that Atlas creates. */
  tokens: number;
}

type Expected = Pick<Row, 'type' | 'posts' | 'unconfirmedTokens'>;

const on = 'linkTokens';
/** Exceeds every request timeout here: the response never comes. */
const NEVER_MS = 600_000;

const delivered: Expected = { type: 'delivered', posts: 1, unconfirmedTokens: 0 };
const afterRetry: Expected = { ...delivered, posts: 2 };
const tokenMayExist: Expected = { ...afterRetry, unconfirmedTokens: 1 };
const rejected: Expected = { type: 'AtlasRequestRejected', posts: 1, unconfirmedTokens: 0 };
const invalid: Expected = { type: 'AtlasResponseInvalid', posts: 1, unconfirmedTokens: 1 };

function row(
  what: string,
  faults: Fault | Fault[],
  expected: Expected,
  more: Partial<Pick<Row, 'expire' | 'tokens' | 'enveloped'>> = {},
): Row {
  const tokens = expected.type === 'delivered' ? 1 : 0;
  return { what, faults: [faults].flat(), tokens, ...expected, ...more };
}

const enveloped = true;

const SUCCESSES = [
  row('200 where 201 is usual', { on, status: 200 }, delivered),
  row('202 with a token', { on, status: 202 }, delivered),
  row('more fields than are known', { on, status: 201, body: { linkToken: 'x', extra: [1] } }, delivered, {
    tokens: 0,
  }),
  row('a token of 32 KB', { on, status: 201, body: { linkToken: 'x'.repeat(32_000) } }, delivered, {
    tokens: 0,
  }),
  row('a gzipped response', { on, gzip: true }, delivered),
  row('a response that drips in', { on, drip: { bytes: 200, intervalMs: 20 } }, delivered),
  row('a token under a wrong content type', { on, contentType: 'text/plain' }, delivered),
];

const SUCCESSES_WITHOUT_TOKEN = [
  row('2xx without a token', { on, status: 201, body: {} }, invalid, { enveloped }),
  row('2xx with an empty token', { on, status: 201, body: { linkToken: '' } }, invalid),
  row('2xx with a token that is not a string', { on, status: 200, body: { linkToken: 7 } }, invalid),
  row('2xx with an empty body', { on, status: 201, body: '' }, invalid),
  row('2xx with a page in HTML', { on, status: 200, html: true }, invalid, { enveloped }),
  row('2xx with half a JSON', { on, status: 201, body: '{"linkTok' }, invalid),
];

const REFUSALS = [
  row('400', { on, status: 400 }, rejected, { enveloped }),
  row('403', { on, status: 403 }, rejected),
  ...[402, 404, 405, 406, 407, 409, 410, 415, 418, 421, 422, 451].map((status) =>
    row(`${status}`, { on, status }, rejected),
  ),
  row('403 with a page in HTML', { on, status: 403, html: true }, rejected, { enveloped }),
  row('400 with an empty body', { on, status: 400, body: '' }, rejected),
  row('404 whose body breaks off', { on, status: 404, reset: 'mid-body' }, rejected),
  ...[301, 302, 303, 307, 308].map((status) =>
    row(`${status}, which is not followed`, { on, status, headers: { Location: '/elsewhere' } }, rejected),
  ),
];

const RETRIED = [
  row('429 without Retry-After', { on, status: 429 }, afterRetry, { enveloped }),
  row('500', { on, status: 500 }, tokenMayExist, { enveloped }),
  ...[408, 425, 502, 503, 504, 599].map((status) => row(`${status}`, { on, status }, tokenMayExist)),
  row('500 although a token was created', { on, status: 500, afterCreating: true }, tokenMayExist, {
    tokens: 2,
  }),
  row('503 with a page in HTML', { on, status: 503, html: true }, tokenMayExist, { enveloped }),
  row('503 with an empty body', { on, status: 503, body: '' }, tokenMayExist),
  row('a reset before the response', { on, reset: 'before-body' }, tokenMayExist),
  row('a reset, a token created', { on, reset: 'before-body', afterCreating: true }, tokenMayExist, {
    tokens: 2,
  }),
  row('a reset after the headers', { on, reset: 'after-headers' }, tokenMayExist, { tokens: 2 }),
  row('a reset within the body', { on, reset: 'mid-body' }, tokenMayExist, {
    tokens: 2,
    enveloped,
  }),
  row('a body that ends early', { on, truncate: true }, tokenMayExist, { tokens: 2 }),
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
    { ...rejected, posts: 2, unconfirmedTokens: 1 },
  ),
  row(
    '500 and then 2xx without a token',
    [
      { on, status: 500 },
      { on, status: 200, body: {} },
    ],
    { ...invalid, posts: 2, unconfirmedTokens: 2 },
  ),
];

/** Here a worker has no live access token, so that its first POST is rejected with 401 and it requests another. */
function withoutAccessToken(what: string, fault: Omit<Fault, 'on'>, expected: Expected): Row {
  const faults = { on: 'oauth', ...fault } as const;
  return row(`${what} to the access-token request`, faults, expected, { expire: 'accessTokens' });
}

const OF_CREDENTIAL: Record<CredentialType, Row[]> = {
  serviceAccount: [
    row('401 to an expired access token, renewed within the attempt', [], afterRetry, {
      expire: 'accessTokens',
      enveloped,
    }),
    row('401 to a renewed access token as well', { on, status: 401, times: 2 }, { ...rejected, posts: 2 }),
    withoutAccessToken('403 access_denied', { errorCode: 'access_denied', status: 403 }, afterRetry),
    withoutAccessToken('429', { status: 429 }, afterRetry),
    withoutAccessToken('500', { status: 500 }, afterRetry),
    withoutAccessToken('503 with a page in HTML', { html: true, status: 503 }, afterRetry),
    withoutAccessToken('a reset', { reset: 'before-body' }, afterRetry),
    withoutAccessToken('401', { status: 401, errorCode: 'invalid_client' }, rejected),
    withoutAccessToken('403', { status: 403, errorCode: 'other' }, rejected),
    withoutAccessToken('302', { status: 302, headers: { Location: '/elsewhere' } }, rejected),
    withoutAccessToken(
      '200 without an access token',
      { status: 200, body: {} },
      {
        ...invalid,
        unconfirmedTokens: 0,
      },
    ),
  ],
  apiKey: [
    row('a stale nonce, renewed within the attempt', [], delivered, { expire: 'nonces', enveloped }),
    row('401', { on, status: 401 }, rejected),
  ],
};

/** Each takes as long as the request timeout, which is short for them. */
export const HANGING: Row[] = [
  row('no response in time', { on, delayMs: NEVER_MS, status: 500 }, tokenMayExist),
  row('no response in time, a token created', { on, delayMs: NEVER_MS, afterCreating: true }, tokenMayExist, {
    tokens: 2,
  }),
  withoutAccessToken('no response in time', { delayMs: NEVER_MS }, afterRetry),
];

const FIRST = row('201 with a token', [], delivered, { enveloped });

/** Every row as a service account; as an API key the first, and what is its own. */
export const ROWS: Record<CredentialType, Row[]> = {
  serviceAccount: [
    FIRST,
    ...SUCCESSES,
    ...SUCCESSES_WITHOUT_TOKEN,
    ...REFUSALS,
    ...RETRIED,
    ...MIXES,
    ...OF_CREDENTIAL.serviceAccount,
  ],
  apiKey: [FIRST, ...OF_CREDENTIAL.apiKey],
};

const inEnvelope = (rows: readonly Row[]) => rows.filter((candidate) => candidate.enveloped);

export const ENVELOPED: Record<CredentialType, Row[]> = {
  serviceAccount: inEnvelope(ROWS.serviceAccount),
  apiKey: inEnvelope(ROWS.apiKey),
};
