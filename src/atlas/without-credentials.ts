import type { HttpResponse } from '../http/send';
import { SecretUnavailableError, type Secret } from '../secrets';

const IN_PLACE_OF_ONE = '(credential)';

/** A shorter text is in a message by chance. */
const MIN_LENGTH = 8;

/**
 * The response of a refusal, in which no credential is quoted. Atlas's messages reach the history and the log, and
 * Atlas or a proxy may quote what it was sent.
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
  const hidden = texts
    .filter((text) => text.length >= MIN_LENGTH)
    .flatMap((text) => [text, Buffer.from(text).toString('base64')]);
  const clean = (text: string) =>
    hidden.reduce((cleaned, secret) => cleaned.replaceAll(secret, IN_PLACE_OF_ONE), text);
  const json: unknown = JSON.parse(JSON.stringify(response.json), (_key, value: unknown) =>
    typeof value === 'string' ? clean(value) : value,
  );
  return { ...response, json };
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
