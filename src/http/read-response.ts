import { constants, gunzipSync } from 'node:zlib';
import type { Dispatcher } from 'undici';
import { MAX_BODY_BYTES } from './dispatcher';

type Response = Dispatcher.ResponseData;

/** A header that came several times is joined, as RFC 9110 has it. */
export function headerOf({ headers }: Response, name: string): string | null {
  const value = headers[name];
  return value === undefined ? null : [value].flat().join(', ');
}

/**
 * Reads a body as UTF-8.
 *
 * @param bodyOptional returns an empty text for a body that breaks off, as for that of a refusal (300 and above).
 * @returns an empty text, too, for a body that is too long or cannot be decompressed.
 */
export async function readBody(response: Response, bodyOptional: boolean): Promise<string> {
  try {
    const body = Buffer.from(await response.body.arrayBuffer());
    return headerOf(response, 'content-encoding')?.toLowerCase() === 'gzip' ? unzip(body) : body.toString();
  } catch (error) {
    const isTooLong = (error as NodeJS.ErrnoException).code === 'UND_ERR_RES_EXCEEDED_MAX_SIZE';
    if (bodyOptional || isTooLong || response.statusCode >= 300) return '';
    throw error;
  }
}

function unzip(body: Buffer): string {
  try {
    // A missing checksum is accepted: the length of the body tells whether it is whole.
    const finishFlush = constants.Z_SYNC_FLUSH;
    return gunzipSync(body, { finishFlush, maxOutputLength: MAX_BODY_BYTES }).toString();
  } catch {
    return '';
  }
}
