import type { HttpResponse } from '../http/response';
import type { Secret } from '../secrets/read-secret';

/** A shorter text occurs by chance. */
const MIN_LENGTH = 8;
const REDACTED = '(credential)';

/**
 * Redacts credentials in the JSON of a refusal. Atlas's messages reach the history and the log, and
 * Atlas or a proxy may quote what it was sent.
 *
 * @returns the response; its `json` is null if it cannot be searched.
 */
export function redactCredentials(
  response: HttpResponse,
  authorization: string | undefined,
  secret: Secret,
): HttpResponse {
  try {
    const clean = [authorization?.replace(/^\S+ /, '') ?? '', secret.read()]
      .filter((text) => text.length >= MIN_LENGTH)
      .flatMap((text) => [JSON.stringify(text).slice(1, -1), Buffer.from(text).toString('base64')])
      .reduce((json, text) => json.replaceAll(text, REDACTED), JSON.stringify(response.json));
    return { ...response, json: JSON.parse(clean) };
  } catch {
    // The JSON is nested too deeply for Node.js 24 and older, or the secret is no longer available.
    return { ...response, json: null };
  }
}
