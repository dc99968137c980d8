import { pipeline, type Readable } from 'node:stream';
import { createBrotliDecompress, createGunzip, createInflate } from 'node:zlib';
import type { Dispatcher } from 'undici';

const MAX_BODY_BYTES = 1024 * 1024;

type Response = Dispatcher.ResponseData;

/** A header that came several times is joined, as RFC 9110 has it. */
export function headerOf({ headers }: Response, name: string): string | null {
  const value = headers[name];
  return value === undefined ? null : [value].flat().join(', ');
}

/**
 * Reads a body as UTF-8, at most 1 MiB of it.
 *
 * @param bodyOptional returns an empty text for a body that breaks off, as for that of a refusal (300 and above).
 */
export async function readBody(response: Response, bodyOptional: boolean): Promise<string> {
  try {
    return await readCapped(decompress(response));
  } catch (error) {
    if (bodyOptional || response.statusCode >= 300) return '';
    throw error;
  }
}

const DECOMPRESS = { gzip: createGunzip, deflate: createInflate, br: createBrotliDecompress };

/** No compression is requested, and some servers and proxies compress all the same. */
function decompress(response: Response): Readable {
  const encoding = headerOf(response, 'content-encoding')?.trim().toLowerCase();
  const create = Object.entries(DECOMPRESS).find(([name]) => name === encoding)?.[1];
  // Whoever reads the result gets every error of the two.
  return create ? pipeline(response.body, create(), () => undefined) : response.body;
}

/** Stops after the limit, so that no server fills our memory. */
async function readCapped(body: Readable): Promise<string> {
  const decoder = new TextDecoder();
  let text = '';
  let left = MAX_BODY_BYTES;
  // Leaving the loop early destroys the body, which frees its connection.
  for await (const chunk of body) {
    const bytes = chunk as Uint8Array;
    text += decoder.decode(bytes.subarray(0, left), { stream: true });
    left -= bytes.byteLength;
    if (left <= 0) break;
  }
  return text + decoder.decode();
}
