import type { HttpResponse } from '../http/send';
import type { Secret } from '../secrets';

/** A shorter text is in a message by chance. */
const MIN_LENGTH = 8;

/**
 * The response of a refusal, in whose JSON no credential is quoted. Atlas's messages reach the history and the log, and
 * Atlas or a proxy may quote what it was sent.
 *
 * @param authorization the header of the request.
 * @param secret of the credential.
 * @returns null for a JSON that cannot be searched: the status alone decides then.
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
      .reduce((json, text) => json.replaceAll(text, '(credential)'), JSON.stringify(response.json));
    return { ...response, json: JSON.parse(clean) };
  } catch {
    // It is nested too deeply, or the secret is no longer there.
    return { ...response, json: null };
  }
}
