import { STATUS_CODES } from 'node:http';
import { z } from 'zod';
import type { Answer } from './answer';
import { atlasErrorAnswer, codeForStatus, oauthError, statusForCode } from './errors';
import { ROUTE_NAMES, type RouteName } from './route-names';

const headerText = z.string().regex(/^[\t\x20-\x7e]*$/, 'must be printable ASCII');

const faultSchema = z
  .strictObject({
    on: z.enum(ROUTE_NAMES),
    /** How many requests it hits; 1 unless there is a probability. */
    times: z.int().positive().optional(),
    probability: z.number().min(0).max(1).optional(),
    /** Hits requests without a valid credential too, such as the one that fetches a Digest challenge. */
    beforeAuthentication: z.boolean().optional(),
    /** The route does its work first, a token is created and counted, and then the fault is the answer. */
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
  .refine((fault) => [fault.html, fault.body !== undefined, fault.errorCode].filter(Boolean).length <= 1, {
    error: 'give one of html, body and errorCode',
  });

export type Fault = z.output<typeof faultSchema>;

/** One fault or a list. Throws ZodError. */
export function parseFaults(input: unknown): Fault[] {
  return z.array(faultSchema).parse(Array.isArray(input) ? input : [input]);
}

/** Faults in the order they were given: the first that fits a request hits it. */
export class Faults {
  private waiting: { fault: Fault; left: number }[] = [];

  add(faults: Fault[]): void {
    this.waiting.push(
      ...faults.map((fault) => ({
        fault,
        left: fault.probability === undefined ? (fault.times ?? 1) : Infinity,
      })),
    );
  }

  take(on: RouteName, authenticated: boolean): Fault | undefined {
    const hit = this.waiting.find(
      ({ fault }) =>
        fault.on === on &&
        (authenticated || fault.beforeAuthentication === true) &&
        (fault.probability === undefined || Math.random() < fault.probability),
    );
    if (!hit) return undefined;
    hit.left -= 1;
    this.waiting = this.waiting.filter(({ left }) => left > 0);
    return hit.fault;
  }

  /** What is still to come, with the times left. */
  list(): Fault[] {
    return this.waiting.map(({ fault, left }) => (left === Infinity ? fault : { ...fault, times: left }));
  }

  clear(): void {
    this.waiting = [];
  }
}

/** Whether the fault is the answer; else the route does its work, and the fault changes only how that is sent. */
export function replacesAnswer({ html, body, errorCode, detail, status = 200, reset }: Fault): boolean {
  const says = html === true || [body, errorCode, detail].some((part) => part !== undefined);
  return says || status >= 300 || reset === 'before-body';
}

export function faultAnswer(fault: Fault): Answer {
  const { on, html, body, detail } = fault;
  if (html) {
    const status = fault.status ?? 503;
    const title = `${status} ${STATUS_CODES[status] ?? ''}`.trim();
    const page = `<html>\r\n<head><title>${title}</title></head>\r\n<body><h1>${title}</h1></body>\r\n</html>\r\n`;
    return { status, body: page, contentType: 'text/html' };
  }
  if (body !== undefined) return { status: fault.status ?? 200, body };
  const status = fault.status ?? statusForCode(fault.errorCode ?? '') ?? 500;
  if (on === 'oauth' || on === 'oauthRevoke') {
    return oauthError(status, fault.errorCode ?? 'server_error', detail ?? 'Unexpected error.').answer;
  }
  return atlasErrorAnswer(status, fault.errorCode ?? codeForStatus(status), { detail });
}
