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
  const clean = [...findSentCredentials(authorization), readIfAvailable(secret)]
    .filter((text) => text.length >= MIN_LENGTH)
    .flatMap((text) => [JSON.stringify(text).slice(1, -1), Buffer.from(text).toString('base64')]);
  try {
    const json = clean.reduce(
      (text, credential) => text.replaceAll(credential, REDACTED),
      JSON.stringify(response.json),
    );
    return { ...response, json: JSON.parse(json) };
  } catch {
    // The JSON is nested too deeply for Node.js 24 and older.
    return { ...response, json: null };
  }
}

/** Finds the header's value and, with HTTP Basic, the password in it. */
function findSentCredentials(authorization = ''): string[] {
  const [scheme = '', value = ''] = authorization.split(/ (.*)/s);
  if (scheme !== 'Basic') return [value];
  const [, password = ''] = Buffer.from(value, 'base64').toString().split(/:(.*)/s);
  return [value, password];
}

/** Without its file, a secret that was not sent cannot be quoted. */
function readIfAvailable(secret: Secret): string {
  try {
    return secret.read();
  } catch {
    return '';
  }
}
