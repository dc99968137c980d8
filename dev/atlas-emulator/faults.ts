import { STATUS_CODES } from 'node:http';
import { z } from 'zod';
import {
  atlasError,
  codeForStatus,
  oauthError,
  type ErrorCode,
  type RouteResponse,
} from './responses';

/** Names of routes in faults and in the request log. */
export const ROUTE_NAMES = [
  'oauth',
  'oauthRevoke',
  'linkTokens',
  'deleteLinkTokens',
  'availableProjects',
  'orgs',
  'apiKeys',
  'apiKey',
  'deleteApiKey',
  'accessList',
  'events',
  'sourceOrgs',
  'migrationLink',
  'migrationLinkStatus',
  'deleteMigrationLink',
] as const;
export type RouteName = (typeof ROUTE_NAMES)[number];

const headerText = z.string().regex(/^[\t\x20-\x7e]*$/, 'must be printable ASCII');

const faultSchema = z
  .strictObject({
    on: z.enum(ROUTE_NAMES),
    /**
     * Hits this organization's requests only: those with its id in their path or for its access
     * tokens.
     */
    orgId: z.string().optional(),
    /** Number of requests that it hits; 1 unless there is a probability. */
    times: z.int().positive().optional(),
    probability: z.number().min(0).max(1).optional(),
    /**
     * Hits requests without a valid credential too, such as the one that fetches a Digest
     * challenge.
     */
    beforeAuthentication: z.boolean().optional(),
    /**
     * The route does its work first (a token is created and counted); then the fault is the
     * response.
     */
    afterCreating: z.boolean().optional(),
    delayMs: z.int().nonnegative().optional(),
    status: z.int().min(200).max(599).optional(),
    errorCode: z.string().optional(),
    detail: z.string().optional(),
    body: z.json().optional(),
    html: z.boolean().optional(),
    contentType: headerText.optional(),
    headers: z.record(z.string().regex(/^[\w-]+$/), headerText).optional(),
    gzip: z.boolean().optional(),
    reset: z.enum(['before-body', 'after-headers', 'mid-body', 'after-body']).optional(),
    /** Half of the body, then an orderly close. */
    truncate: z.boolean().optional(),
    drip: z.strictObject({ bytes: z.int().positive(), intervalMs: z.int().positive() }).optional(),
  })
  .refine(({ times, probability }) => times === undefined || probability === undefined, {
    error: 'give times or probability, not both',
  })
  .refine((fault) => [fault.reset, fault.truncate, fault.drip].filter(Boolean).length <= 1, {
    error: 'give one of reset, truncate and drip',
  })
  .refine(
    (fault) => [fault.html, fault.body !== undefined, fault.errorCode].filter(Boolean).length <= 1,
    {
      error: 'give one of html, body and errorCode',
    },
  );

export type Fault = z.output<typeof faultSchema>;

/** One example of each fault; `npm run atlas -- --help` prints them, and the emulator's test sends each one. */
export const FAULT_EXAMPLES: [what: string, fault: Fault][] = [
  ['an error, twice, then success', { on: 'linkTokens', times: 2, status: 500 }],
  [
    'an error with a code and detail of Atlas',
    { on: 'linkTokens', errorCode: 'ORG_REQUIRES_ACCESS_LIST', detail: 'No.' },
  ],
  ['one request in ten fails', { on: 'linkTokens', probability: 0.1, status: 502 }],
  ['rate limited', { on: 'linkTokens', status: 429, headers: { 'Retry-After': '2' } }],
  ["a proxy's page", { on: 'linkTokens', html: true, status: 503 }],
  ['an empty body', { on: 'linkTokens', status: 503, body: '' }],
  ['any body', { on: 'linkTokens', status: 201, body: { linkToken: 'x', extra: 1 } }],
  ['a wrong content type', { on: 'linkTokens', contentType: 'text/plain' }],
  ['200 where 201 is usual', { on: 'linkTokens', status: 200 }],
  ['a redirect', { on: 'linkTokens', status: 302, headers: { Location: 'https://example.com/' } }],
  ['gzip', { on: 'linkTokens', gzip: true }],
  ['a slow response', { on: 'linkTokens', delayMs: 500 }],
  ['a reset before the response', { on: 'linkTokens', reset: 'before-body' }],
  ['a reset after the headers', { on: 'linkTokens', reset: 'after-headers' }],
  ['a reset in the middle of the body', { on: 'linkTokens', reset: 'mid-body' }],
  ['a kept-alive socket reset afterwards', { on: 'linkTokens', reset: 'after-body' }],
  ['half a body, then an orderly close', { on: 'linkTokens', truncate: true }],
  ['a slow drip', { on: 'linkTokens', drip: { bytes: 200, intervalMs: 20 } }],
  [
    'a lost response: a token is created, the caller never learns',
    { on: 'linkTokens', afterCreating: true, reset: 'before-body' },
  ],
  [
    'a token is created, the response comes late',
    { on: 'linkTokens', afterCreating: true, delayMs: 500 },
  ],
  [
    'down for callers without credentials too',
    { on: 'orgs', beforeAuthentication: true, status: 503 },
  ],
  ['no access token', { on: 'oauth', status: 403, errorCode: 'access_denied' }],
  ['Cloud Manager is down', { on: 'migrationLink', status: 503, html: true }],
];

/** One fault or a list. Throws ZodError. */
export function parseFaults(input: unknown): Fault[] {
  return z.array(faultSchema).parse(Array.isArray(input) ? input : [input]);
}

/**
 * Builds the response that replaces the route's; undefined if the fault only changes how that is
 * sent.
 */
export function replacementFor(fault: Fault): RouteResponse | undefined {
  const { on, html, body, errorCode, detail, status, reset } = fault;
  if (html) {
    const title = `${status ?? 503} ${STATUS_CODES[status ?? 503] ?? ''}`.trim();
    const page = [
      '<html>',
      `<head><title>${title}</title></head>`,
      `<body><h1>${title}</h1></body>`,
      '</html>',
      '',
    ].join('\r\n');
    return { status: status ?? 503, body: page, contentType: 'text/html' };
  }
  if (body !== undefined) return { status: status ?? 200, body };
  const isError = errorCode !== undefined || detail !== undefined || (status ?? 200) >= 300;
  if (!isError && reset !== 'before-body') return undefined;
  const code = (errorCode as ErrorCode | undefined) ?? codeForStatus(status ?? 500);
  const { response } = atlasError(code, { status, detail });
  if (on !== 'oauth' && on !== 'oauthRevoke') return response;
  return oauthError(response.status, errorCode ?? 'server_error', detail ?? 'Unexpected error.')
    .response;
}

/** The faults that wait for requests, in their order. */
export class FaultQueue {
  private waiting: { fault: Fault; left: number }[] = [];
  /** Ends of the delays under way. */
  private readonly delays = new Set<() => void>();

  add(faults: Fault[]): void {
    const timesOf = ({ probability, times = 1 }: Fault) =>
      probability === undefined ? times : Infinity;
    this.waiting.push(...faults.map((fault) => ({ fault, left: timesOf(fault) })));
  }

  /** Forgets the faults that wait, and ends the delays of those under way. */
  clear(): void {
    this.waiting = [];
    for (const end of this.delays) end();
  }

  /** Passes the time, unless the faults are cleared before. */
  delay(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const end = () => {
        clearTimeout(timer);
        this.delays.delete(end);
        resolve();
      };
      const timer = setTimeout(end, ms).unref();
      this.delays.add(end);
    });
  }

  /** Takes the first fault that fits a request. */
  take(
    on: RouteName | 'unknown',
    orgId: string | undefined,
    authenticated: boolean,
  ): Fault | undefined {
    const hit = this.waiting.find(
      ({ fault }) =>
        fault.on === on &&
        (fault.orgId === undefined || fault.orgId === orgId) &&
        (authenticated || fault.beforeAuthentication === true) &&
        (fault.probability === undefined || Math.random() < fault.probability),
    );
    if (!hit) return undefined;
    hit.left -= 1;
    this.waiting = this.waiting.filter(({ left }) => left > 0);
    return hit.fault;
  }

  list(): Fault[] {
    return this.waiting.map(({ fault, left }) =>
      left === Infinity ? fault : { ...fault, times: left },
    );
  }
}
