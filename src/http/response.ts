import { constants, gunzipSync } from 'node:zlib';
import type { Dispatcher } from 'undici';
import { z } from 'zod';
import { parseRetryAfterMs } from '../shared/retry-after';

export interface HttpResponse {
  status: number;
  /** The parsed body; null if it is not JSON. */
  json: unknown;
  /** The body as UTF-8; empty if it is incomplete or longer than 1 MiB. */
  text: string;
  /** The header `WWW-Authenticate`. */
  challenge: string | null;
  retryAfterMs: number | undefined;
}

/** Tells whether the status is one of success (2xx). */
export function isSuccess({ status }: Pick<HttpResponse, 'status'>): boolean {
  return status >= 200 && status <= 299;
}

/**
 * Tells whether the same request may succeed later: 408 is Request Timeout, 425 Too Early, 429 Too
 * Many Requests. A status from 600 counts as a server error (RFC 9110, 15).
 */
export function isTemporary(status: number): boolean {
  return status >= 500 || [408, 425, 429].includes(status);
}

/** A bound above every response that we use. undici ends a request whose response is longer. */
export const MAX_BODY_BYTES = 1024 * 1024;

/**
 * Creates a schema of a list that reads its first entries only: zod takes seconds for one of 1 MiB.
 */
export function firstEntries<Entry extends z.ZodType>(entry: Entry, max: number) {
  return z.preprocess((list) => (Array.isArray(list) ? list.slice(0, max) : list), z.array(entry));
}

/**
 * @param bodyOptional true to read an incomplete body as empty text instead of throwing. From
 *   status 300 on, it always is.
 * @throws the error of undici for an incomplete body.
 */
export async function readResponse(
  response: Dispatcher.ResponseData,
  bodyOptional: boolean,
): Promise<HttpResponse> {
  const text = await readBody(response, bodyOptional);
  return {
    status: response.statusCode,
    json: parseJson(text),
    text,
    challenge: getHeader(response, 'www-authenticate'),
    retryAfterMs: parseRetryAfterMs(getHeader(response, 'retry-after'), new Date()),
  };
}

async function readBody(response: Dispatcher.ResponseData, bodyOptional: boolean): Promise<string> {
  try {
    const body = Buffer.from(await response.body.arrayBuffer());
    return getHeader(response, 'content-encoding')?.toLowerCase() === 'gzip'
      ? unzip(body)
      : body.toString();
  } catch (error) {
    const isTooLong = (error as NodeJS.ErrnoException).code === 'UND_ERR_RES_EXCEEDED_MAX_SIZE';
    if (bodyOptional || isTooLong || response.statusCode >= 300) return '';
    throw error;
  }
}

function unzip(body: Buffer): string {
  try {
    // A missing checksum is accepted: undici has checked the length of the body.
    const finishFlush = constants.Z_SYNC_FLUSH;
    return gunzipSync(body, { finishFlush, maxOutputLength: MAX_BODY_BYTES }).toString();
  } catch {
    return '';
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/** Joins the values of a header that was sent several times (RFC 9110). */
function getHeader({ headers }: Dispatcher.ResponseData, name: string): string | null {
  const value = headers[name];
  return value === undefined ? null : [value].flat().join(', ');
}
