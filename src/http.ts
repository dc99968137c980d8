import { EnvHttpProxyAgent, type Dispatcher, type Response } from 'undici';

/** The connections of one HTTP client. HTTPS_PROXY, HTTP_PROXY and NO_PROXY are honoured, which Node 20 alone does not. */
export function createDispatcher(): Dispatcher {
  return new EnvHttpProxyAgent();
}

/**
 * Reads `Retry-After`: whole seconds or an HTTP date (RFC 9110, 10.2.3).
 *
 * @returns milliseconds from `now`, at least 0; undefined when the header is absent or is neither.
 */
export function parseRetryAfterMs(header: string | null, now: Date): number | undefined {
  const value = header?.trim();
  if (!value) return undefined;
  if (/^\d+$/.test(value)) return Number(value) * 1000;
  // Date.parse alone would read "-5" or "1.5" as a date.
  const date = /^(Mon|Tue|Wed|Thu|Fri|Sat|Sun)[a-z]*,? /.test(value) ? Date.parse(value) : NaN;
  return Number.isNaN(date) ? undefined : Math.max(0, date - now.getTime());
}

/**
 * Reads a body as UTF-8 and stops after `limitBytes`, so that no peer fills our memory.
 *
 * @throws what the connection throws when it breaks before that.
 */
export async function readTextCapped(response: Response, limitBytes: number): Promise<string> {
  const decoder = new TextDecoder();
  let text = '';
  let left = limitBytes;
  // Leaving the loop early cancels the body, which frees its connection.
  for await (const chunk of response.body ?? []) {
    const bytes = chunk as Uint8Array;
    text += decoder.decode(bytes.subarray(0, left), { stream: true });
    left -= bytes.byteLength;
    if (left <= 0) break;
  }
  return text + decoder.decode();
}

/** What a text holds, or null where it is not JSON. The text is not quoted in an error: it may hold a secret. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/**
 * Why a fetch failed: the code of Node, OpenSSL or undici, such as ECONNREFUSED; `TIMEOUT` for a timeout signal. The
 * error itself is better not passed on: fetch quotes malformed headers, and they hold credentials.
 */
export function codeOfFetchError(error: unknown): string {
  // Not by `instanceof`: a DOMException is no Error of the realm that tests run in.
  const { name, code, cause } = (error ?? {}) as { name?: unknown; code?: unknown; cause?: unknown };
  if (name === 'TimeoutError') return 'TIMEOUT';
  if (typeof code === 'string') return code;
  if (cause) return codeOfFetchError(cause);
  return typeof name === 'string' ? name : 'UNKNOWN';
}
