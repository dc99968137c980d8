import { InvalidArgumentError } from '@commander-js/extra-typings';
import { NOT_AN_ORGANIZATION_ID, ORGANIZATION_ID, isSinkName } from '../../contract/formats';
import { workflowIdOf } from '../../contract/workflow-id';

/**
 * Parses a date or an RFC 3339 time. JavaScript would read `5` as a month of 2001, and a time
 * without an offset as a local one.
 *
 * @throws InvalidArgumentError, which commander reports with the option's name.
 */
export function parseTime(text: string): Date {
  const date = new Date(text);
  const isTime = /^\d{4}-\d\d-\d\d(T.*(Z|[+-]\d\d:\d\d))?$/.test(text);
  if (isTime && !Number.isNaN(date.getTime())) return date;
  throw new InvalidArgumentError('Write a time such as 2026-11-25T09:00:00Z');
}

/** Parses a time, or how long ago it was. */
export function parseTimeOrAge(text: string): Date {
  const agoMs = parseMilliseconds(text);
  if (agoMs > Date.now()) throw new InvalidArgumentError('Write an age of less than 50 years');
  return agoMs > 0 ? new Date(Date.now() - agoMs) : parseTime(text);
}

/** By the letter that ends a duration. */
export const UNIT_MS = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };
/** The maximum of Node's timers, some 24 days. */
const MAX_DURATION_MS = 2 ** 31 - 1;

/** @returns milliseconds. */
export function parseDuration(text: string): number {
  const ms = parseMilliseconds(text);
  if (ms > 0 && ms <= MAX_DURATION_MS) return ms;
  throw new InvalidArgumentError('Write a duration such as 30s, 10m or 2h, at most 24 days');
}

/** @returns NaN when the text is not a duration. */
function parseMilliseconds(text: string): number {
  const match = /^(\d+(?:\.\d+)?)([smhd])$/.exec(text);
  if (!match) return NaN;
  const [, count, unit] = match;
  return Math.round(Number(count) * UNIT_MS[unit as keyof typeof UNIT_MS]);
}

export function collect(value: string, earlier: string[] | undefined): string[] {
  return [...(earlier ?? []), value];
}

/** Refuses what an unset variable of a shell leaves, which must not mean the default. */
export function parseNonEmpty(text: string): string {
  if (text !== '') return text;
  throw new InvalidArgumentError('It is empty: write a value, or leave it out');
}

/** @returns the workflow id of a run that is named as `list` prints it. */
export function parseRun(text: string): string {
  return workflowIdOf(parseNonEmpty(text));
}

export function parseSinkName(text: string): string {
  if (isSinkName(text)) return text;
  throw new InvalidArgumentError("Write the name of a sink in the workers' configuration");
}

export function parseOrgId(text: string): string {
  if (ORGANIZATION_ID.test(text)) return text;
  throw new InvalidArgumentError(`It ${NOT_AN_ORGANIZATION_ID}`);
}
