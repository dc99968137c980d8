import type { HttpResponse } from '../http/send';
import { SecretUnavailableError, type Secret } from '../secrets';

const IN_PLACE_OF_ONE = '(credential)';

/**
 * A response in which no credential is quoted. Atlas's messages reach the history and the log, and Atlas or a proxy may
 * quote what it was sent.
 *
 * @param authorization the header of the request.
 * @param secrets of the credential.
 */
export function withoutCredentials(
  response: HttpResponse,
  authorization: string | undefined,
  secrets: readonly Secret[],
): HttpResponse {
  const [, ofHeader] = /^\S+ (.+)$/.exec(authorization ?? '') ?? [];
  const texts = [...(ofHeader ? [ofHeader] : []), ...secrets.flatMap(readIfAvailable)];
  const hidden = texts.flatMap((text) => [text, Buffer.from(text).toString('base64')]);
  const json = JSON.stringify(response.json);
  const quoted = hidden.filter((text) => json.includes(text));
  if (quoted.length === 0) return response;
  const clean = quoted.reduce((text, secret) => text.replaceAll(secret, IN_PLACE_OF_ONE), json);
  return { ...response, json: JSON.parse(clean) as unknown };
}

/** It was there when the request was made. */
function readIfAvailable(secret: Secret): string[] {
  try {
    return [secret.read()];
  } catch (error) {
    if (error instanceof SecretUnavailableError) return [];
    throw error;
  }
}
