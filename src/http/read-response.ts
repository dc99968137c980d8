import { Duplex, pipeline, type Readable } from 'node:stream';
import { constants, createBrotliDecompress, createGunzip, createInflate, createInflateRaw } from 'node:zlib';
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

const DECOMPRESS: ReadonlyMap<string, () => Duplex> = new Map<string, () => Duplex>([
  ['gzip', () => createGunzip(LENIENT)],
  ['x-gzip', () => createGunzip(LENIENT)],
  ['deflate', () => Duplex.from(inflate)],
  ['br', () => createBrotliDecompress()],
]);

/** The first byte of zlib's format ends in 8. Some servers send deflate without that format (RFC 9110, 8.4.1.2). */
async function* inflate(body: AsyncIterable<Uint8Array>) {
  const chunks = body[Symbol.asyncIterator]();
  const next = await chunks.next();
  if (next.done) return;
  const first: Uint8Array = next.value;
  const isZlib = ((first[0] ?? 0) & 0x0f) === 8;
  const all = async function* () {
    yield first;
    yield* { [Symbol.asyncIterator]: () => chunks };
  };
  yield* pipeline(all, isZlib ? createInflate(LENIENT) : createInflateRaw(LENIENT), () => undefined);
}

/** Each takes memory, and a header has room for thousands. */
const MAX_ENCODINGS = 5;

/** No compression is requested, and some servers and proxies compress all the same. */
function decompress(response: Response): Readable {
  const encodings = headerOf(response, 'content-encoding')?.toLowerCase().split(',') ?? [];
  if (encodings.length > MAX_ENCODINGS) return response.body;
  // Whoever reads the result gets every error of a stream.
  return encodings.reduceRight<Readable>((body, encoding) => {
    const create = DECOMPRESS.get(encoding.trim());
    return create ? pipeline(body, create(), () => undefined) : body;
  }, response.body);
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
