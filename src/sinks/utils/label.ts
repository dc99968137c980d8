/**
 * A caller's text as a tag or a metadata value that every store accepts, so that no text can fail a delivery. Letters
 * lose their accents, and any other character than ASCII letters, digits, space and `_.:/=+-@` becomes `_`: stores refuse
 * letters that are newer than their Unicode tables. The prefix `aws:` is reserved.
 *
 * @returns at most 200 characters; empty where there is nothing to say.
 */
export function labelOf(text: string | null): string {
  return (text ?? '')
    .normalize('NFKD')
    .replace(/\p{M}/gu, '')
    .replace(/[^A-Za-z0-9 _.:/=+@-]/gu, '_')
    .trim()
    .replace(/^aws:/i, 'aws_')
    .slice(0, 200);
}
