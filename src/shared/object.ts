import { MAX_RECEIPT_LENGTH } from '../contract/limits';

/**
 * Treats a value as an object, whoever wrote it; a value that is not an object has no fields.
 */
export function toObject(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Record<string, unknown>)
    : {};
}

/** Tells whether a value is short enough, in characters of its JSON, to enter a history again. */
export function fitsAsJson(value: object, maxLength = MAX_RECEIPT_LENGTH): boolean {
  return JSON.stringify(value).length <= maxLength;
}
