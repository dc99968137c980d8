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
