import { AtlasAnswerError, AtlasConnectionError } from '../atlas/errors';
import { SecretUnavailableError } from '../secrets';
import type { Verdict } from './verdict';

interface Row extends Pick<Verdict, 'type' | 'retryable' | 'perhapsMinted'> {
  when: (status: number, errorCode: string | undefined) => boolean;
  /** What to do; only where no retry mends it. */
  mend?: string;
}

const RETRY = { type: 'AtlasUnavailable', retryable: true } as const;
const REFUSED = { type: 'AtlasRequestRejected', retryable: false, perhapsMinted: false } as const;

const oneOf =
  (...statuses: number[]) =>
  (status: number) =>
    statuses.includes(status);
const between = (from: number, to: number) => (status: number) => status >= from && status <= to;

/** The outcome of one answer to the link-token call, first match wins. Atlas's errorCode does not tell retryable from terminal. */
const LINK_TOKEN_ROWS: readonly Row[] = [
  {
    when: between(200, 299),
    type: 'AtlasResponseInvalid',
    retryable: false,
    perhapsMinted: true,
    mend: 'look in Atlas whether a link-token was created before starting again',
  },
  {
    when: between(300, 399),
    ...REFUSED,
    mend: 'credentials never follow a redirect: set MONGODB_ATLAS_BASE_URL to Atlas itself, and look at the proxy',
  },
  { when: oneOf(408, 425), ...RETRY, perhapsMinted: true },
  { when: oneOf(429), ...RETRY, perhapsMinted: false },
  { when: oneOf(400, 422), ...REFUSED, mend: 'correct the fields it names, then start again' },
  {
    when: oneOf(401),
    ...REFUSED,
    mend: 'check that the credential is right, not expired, and Organization Owner of this organization',
  },
  { when: oneOf(402), ...REFUSED, mend: 'settle the account of the organization in Atlas' },
  {
    when: oneOf(403),
    ...REFUSED,
    mend: "give the credential the Organization Owner role, and let the worker's address onto its API access list",
  },
  {
    when: oneOf(404),
    ...REFUSED,
    mend: 'check orgId: a credential sees only the organization it belongs to',
  },
  {
    when: oneOf(406, 410, 415),
    ...REFUSED,
    mend: 'Atlas no longer serves the API version this worker speaks: upgrade the worker',
  },
  { when: between(400, 499), ...REFUSED, mend: 'mend what Atlas names, then start again' },
  { when: between(500, 599), ...RETRY, perhapsMinted: true },
  {
    when: () => true,
    type: 'AtlasResponseInvalid',
    retryable: false,
    perhapsMinted: true,
    mend: 'this is not an HTTP status Atlas has: look at what stands between the worker and Atlas',
  },
];

/** The outcome of one answer to the access-token call, which creates no link-token. */
const ACCESS_TOKEN_ROWS: readonly Row[] = [
  {
    when: between(200, 299),
    type: 'AtlasResponseInvalid',
    retryable: false,
    perhapsMinted: false,
    mend: 'the answer holds no access token: look at what stands between the worker and Atlas',
  },
  // At most 100 access tokens of an account are live; within the hour one expires.
  {
    when: (status, errorCode) => status === 403 && errorCode === 'access_denied',
    ...RETRY,
    perhapsMinted: false,
  },
  { when: oneOf(408, 425, 429), ...RETRY, perhapsMinted: false },
  { when: between(500, 599), ...RETRY, perhapsMinted: false },
  {
    when: between(300, 399),
    ...REFUSED,
    mend: 'credentials never follow a redirect: set MONGODB_ATLAS_BASE_URL to Atlas itself, and look at the proxy',
  },
  {
    when: () => true,
    ...REFUSED,
    mend: "check the service account's client id and secret, and that the secret has not expired",
  },
];

/** Codes of Node's X.509 verification (OpenSSL's names), and of its check of the host name. */
const INVALID_CERTIFICATE =
  /^(CERT_|CRL_|ERR_TLS_CERT|DEPTH_ZERO_SELF_SIGNED_CERT|SELF_SIGNED_CERT_IN_CHAIN|UNABLE_TO_(GET|VERIFY|DECRYPT|DECODE)_|INVALID_(CA|PURPOSE)|PATH_LENGTH_EXCEEDED|HOSTNAME_MISMATCH)/;

/** Judges an error of `Atlas.createLinkToken`. */
export function judgeAtlasError(error: unknown): Verdict {
  if (error instanceof AtlasAnswerError) return judgeAnswer(error);
  if (error instanceof AtlasConnectionError) return judgeConnection(error);
  if (error instanceof SecretUnavailableError) {
    return {
      ...RETRY,
      perhapsMinted: false,
      message: `the credential for Atlas: ${error.message}`,
      details: {},
    };
  }
  // Ours, and the answer may have arrived: a retry would create another token. Its message may hold anything.
  const name = error instanceof Error ? error.name : typeof error;
  return {
    type: 'TokenLost',
    retryable: false,
    perhapsMinted: true,
    message: `an error of the worker's own (${name}) while it waited for Atlas: look in Atlas whether a link-token was created before starting again`,
    details: {},
  };
}

function judgeAnswer(error: AtlasAnswerError): Verdict {
  const { status, body } = error;
  const rows = error.endpoint === 'oauthToken' ? ACCESS_TOKEN_ROWS : LINK_TOKEN_ROWS;
  const row = rows.find(({ when }) => when(status, body.errorCode));
  if (!row) throw new Error('the last row takes every status');
  const { type, retryable, perhapsMinted, mend } = row;
  return {
    type,
    retryable,
    perhapsMinted,
    message: [words(error), mend && `; ${mend}`].join(''),
    details: { status, ...body },
    retryAfterMs: retryable ? error.retryAfterMs : undefined,
  };
}

const CALLS = {
  linkTokens: 'the link-token call',
  oauthToken: 'the request for an access token',
  orgs: 'the request for the organizations it can see',
} as const;

/** Such as: Atlas answered 403 IP_ADDRESS_NOT_ON_ACCESS_LIST to the link-token call: "This address is not…". */
function words({ endpoint, status, body }: AtlasAnswerError): string {
  const call = CALLS[endpoint];
  const without = status >= 200 && status < 300 ? ' without a token in it' : '';
  const said = body.detail ?? body.reason;
  const fields = body.fields?.map(({ field, description }) => `${field}: ${description}`).join('; ');
  return [
    `Atlas answered ${status}${body.errorCode ? ` ${body.errorCode}` : ''}${without} to ${call}`,
    said && `: "${said}"`,
    fields && ` (${fields})`,
  ].join('');
}

function judgeConnection({ endpoint, written, code }: AtlasConnectionError): Verdict {
  if (!written && INVALID_CERTIFICATE.test(code)) {
    return {
      type: 'AtlasUnavailable',
      retryable: false,
      perhapsMinted: false,
      message: `the certificate of Atlas is not to be trusted (${code}): check MONGODB_ATLAS_BASE_URL, or give Node your own authority by NODE_EXTRA_CA_CERTS`,
      details: { reason: code },
    };
  }
  const what = written
    ? code === 'TIMEOUT'
      ? 'Atlas did not answer in time'
      : `the connection to Atlas broke before its answer was whole (${code})`
    : `no connection to Atlas (${code})`;
  return {
    ...RETRY,
    perhapsMinted: written && endpoint === 'linkTokens',
    message: what,
    details: { reason: code },
  };
}
