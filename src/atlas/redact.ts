import type { HttpResponse } from '../http/response';
import type { Secret } from '../secrets/read-secret';

/** A shorter text occurs by chance. */
const MIN_LENGTH = 8;
/** A quote that is cut off is redacted from this length on. */
const MIN_CUT_LENGTH = 20;
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
  const credentials = [...findSentCredentials(authorization), readIfAvailable(secret)]
    .filter((text) => text.length >= MIN_LENGTH)
    .flatMap((text) => [text, encodeURIComponent(text), Buffer.from(text).toString('base64')]);
  try {
    const json = credentials.reduce(redact, JSON.stringify(response.json));
    return { ...response, json: JSON.parse(json) };
  } catch {
    // The JSON is nested too deeply for Node.js 24 and older.
    return { ...response, json: null };
  }
}

/** Redacts a credential in JSON; what begins like it, up to a space, quotes or a backslash, too. */
function redact(json: string, credential: string): string {
  const inJson = (text: string) => JSON.stringify(text).slice(1, -1);
  return json
    .replaceAll(inJson(credential), REDACTED)
    .split(inJson(credential.slice(0, MIN_CUT_LENGTH)))
    .map((part, index) => (index === 0 ? part : part.replace(/^[^\s"\\]*/, '')))
    .join(REDACTED);
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
