import type { Pair } from '../contract/workflow-id';

/**
 * Characters that a terminal executes, that reorder text or that nobody sees: controls, line
 * separators of Unicode, format characters such as marks of bidirectional text, and fillers.
 */
const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]/gu;

/** Escapes these characters as JSON does: `\u001b`. */
export function escapeControls(text: string): string {
  const escapeUnit = (unit: string) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`;
  return text.replace(UNPRINTABLE, (character) => character.split('').map(escapeUnit).join(''));
}

/** Quotes text that others wrote, for a message: in JSON's quotes, at most 60 characters of it. */
export function quote(text: string): string {
  return escapeControls(JSON.stringify(cut(text)));
}

/** Cuts text that others wrote to a length, 60 characters by default, and escapes it. */
export function cutAndEscape(text: string, maxLength?: number): string {
  return escapeControls(cut(text, maxLength));
}

/** Quotes a text as one word of a shell command. */
export function shellQuote(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text)
    ? text
    : `'${escapeControls(text).replaceAll("'", String.raw`'\''`)}'`;
}

/** Formats a count with its noun, such as `1 run` or `3 runs`. */
export function formatCount(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}

const MAX_LISTED = 10;

/** Lists the first ten items, and the number of the others. */
export function listFirst(items: readonly string[], separator: string): string {
  const first = items.slice(0, MAX_LISTED);
  const unlisted = items.length - first.length;
  if (unlisted > 0) first.push(`and ${unlisted} more`);
  return first.join(separator);
}

/** Names the organizations of a token, such as `64f1… for source organization 64f1…`. */
export function describePair({ orgId, sourceOrgId }: Pair): string {
  return sourceOrgId ? `${orgId} for source organization ${sourceOrgId}` : orgId;
}

/** Names a thrown value without its message, which may hold a secret. */
export function nameOfError(error: unknown): string {
  return error instanceof Error ? error.name : typeof error;
}

/** Formats a time in hours, such as `72 h`. */
export function formatHours(ms: number): string {
  return `${Math.round(ms / 360_000) / 10} h`;
}

/** Cuts a text to a length, which includes the ellipsis. */
export function cut(text: string, maxLength = 60): string {
  return text.length > maxLength ? `${text.slice(0, maxLength - 1)}…` : text;
}
