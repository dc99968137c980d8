import { Transform, pipeline, type Readable } from 'node:stream';
import { constants, createBrotliDecompress, createGunzip, createInflate } from 'node:zlib';
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
 * @returns an empty text, too, for a body that arrived and cannot be decompressed.
 */
export async function readBody(response: Response, bodyOptional: boolean): Promise<string> {
  try {
    return await readCapped(decompress(response));
  } catch (error) {
    const isUnreadable = /^(Z_|ERR_BROTLI|ERR__)/.test(String((error as NodeJS.ErrnoException).code));
    if (bodyOptional || isUnreadable || response.statusCode >= 300) return '';
    throw error;
  }
}

/** A stream that ends early gives what it holds: the length of the body tells whether it is whole. */
const LENIENT = { flush: constants.Z_SYNC_FLUSH, finishFlush: constants.Z_SYNC_FLUSH };

/** Whoever reads the last stream gets every error of the others. */
const ignore = () => undefined;

const gunzip = (body: Readable): Readable => pipeline(body, createGunzip(LENIENT), ignore);

const DECOMPRESS: ReadonlyMap<string, (body: Readable) => Readable> = new Map([
  ['gzip', gunzip],
  ['x-gzip', gunzip],
  ['deflate', (body: Readable): Readable => pipeline(body, withZlibHeader(), createInflate(LENIENT), ignore)],
  ['br', (body: Readable): Readable => pipeline(body, createBrotliDecompress(), ignore)],
]);

const ZLIB_HEADER = Buffer.from([0x78, 0x9c]);

/**
 * Some servers send deflate without zlib's format (RFC 9110, 8.4.1.2), whose first byte ends in 8. With its header they
 * are read like the others; the checksum at the end may be missing, as in any stream that ends early.
 */
function withZlibHeader(): Transform {
  let isFirst = true;
  return new Transform({
    transform(chunk: Uint8Array, _encoding, done) {
      const isRaw = isFirst && ((chunk[0] ?? 0) & 0x0f) !== 8;
      isFirst = false;
      done(null, isRaw ? Buffer.concat([ZLIB_HEADER, chunk]) : chunk);
    },
  });
}

/** Each takes memory, and a header has room for thousands. */
const MAX_ENCODINGS = 5;

/** No compression is requested, and some servers and proxies compress all the same. */
function decompress(response: Response): Readable {
  const encodings = headerOf(response, 'content-encoding')?.toLowerCase().split(',') ?? [];
  if (encodings.length > MAX_ENCODINGS) return response.body;
  return encodings.reduceRight<Readable>(
    (body, encoding) => DECOMPRESS.get(encoding.trim())?.(body) ?? body,
    response.body,
  );
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
