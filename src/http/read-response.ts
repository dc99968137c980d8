import { constants, gunzipSync } from 'node:zlib';
import type { Dispatcher } from 'undici';
import { MAX_BODY_BYTES } from './dispatcher';

type Response = Dispatcher.ResponseData;

/** Returns a header; values of one that was sent several times are joined (RFC 9110). */
export function getHeader({ headers }: Response, name: string): string | null {
  const value = headers[name];
  return value === undefined ? null : [value].flat().join(', ');
}

/**
 * Reads a body as UTF-8.
 *
 * @param bodyOptional whether an incomplete body is empty text and not an error, as it is for statuses from 300.
 * @returns an empty text for a body that is too long or cannot be decompressed.
 * @throws the error of undici for an incomplete body.
 */
export async function readBody(response: Response, bodyOptional: boolean): Promise<string> {
  try {
    const body = Buffer.from(await response.body.arrayBuffer());
    return getHeader(response, 'content-encoding')?.toLowerCase() === 'gzip' ? unzip(body) : body.toString();
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
