import { z } from 'zod';
import type { FailureDetails } from '../contract/schemas';
import { firstEntries } from '../http/response';
import { escapeControls } from '../shared/text';

/**
 * Maximum length of a text, in characters. Temporal keeps 4 KB of a failure that is retried. It
 * holds up to three texts in its details, and two of them again in its message.
 */
const MAX_QUOTED_LENGTH = 200;
const MAX_QUOTED_FIELDS = 20;

/**
 * A word of 25 characters: an id of Atlas has 24, and the private key of an API key cut to 24 lacks
 * 48 bits. Colons and full stops part the words, so that IPv6 addresses and an id that ends a
 * sentence stay.
 */
const LONG_WORD = /[^\s.:,;"'`<>(){}[\]]{25,}/g;

/**
 * Leaves out what may be a credential, in any encoding: Atlas or a proxy may quote what this worker
 * sent, or what another caller got. Error codes and plain words have one case and no digit.
 */
function omitCredentials(text: string): string {
  return text.replace(LONG_WORD, (word) => {
    const hasBothCases = /[a-z]/.test(word) && /[A-Z]/.test(word);
    return hasBothCases || /\d/.test(word) ? '(omitted)' : word;
  });
}

/** Bounds a text and escapes control characters, since Atlas quotes what callers sent. */
const quotedText = z
  .string()
  .transform((value) =>
    escapeControls(omitCredentials(value).slice(0, MAX_QUOTED_LENGTH)).slice(0, MAX_QUOTED_LENGTH),
  );

const fieldSchema = z.object({ field: quotedText, description: quotedText });

/** A malformed field does not hide the others. */
const errorBodySchema = z.object({
  errorCode: quotedText.optional().catch(undefined),
  reason: quotedText.optional().catch(undefined),
  detail: quotedText.optional().catch(undefined),
  badRequestDetail: z
    .object({ fields: firstEntries(fieldSchema.nullable().catch(null), MAX_QUOTED_FIELDS) })
    .optional()
    .catch(undefined),
});

export function parseErrorBody(
  json: unknown,
): Pick<FailureDetails, 'errorCode' | 'reason' | 'detail' | 'fields'> {
  const { data } = errorBodySchema.safeParse(json);
  if (!data) return {};
  return {
    errorCode: data.errorCode,
    reason: data.reason,
    detail: data.detail,
    fields: data.badRequestDetail?.fields.filter((field) => field !== null),
  };
}

/** Without digits, it is no access token. */
const codeWithoutDigits = z.string().regex(/^[A-Za-z_]{1,64}$/);

const accessTokenErrorSchema = z.object({
  // Of the gateway in front, such as RATE_LIMITED.
  errorCode: codeWithoutDigits.optional().catch(undefined),
  // Of OAuth (RFC 6749, 5.2).
  error: codeWithoutDigits.optional().catch(undefined),
});

/**
 * Parses the body of a failed access-token request. It takes the code only: a text may quote an
 * access token.
 */
export function parseAccessTokenError(json: unknown): Pick<FailureDetails, 'errorCode'> {
  const { data } = accessTokenErrorSchema.safeParse(json);
  return { errorCode: data?.errorCode ?? data?.error };
}
