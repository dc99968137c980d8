import { z } from 'zod';
import { MAX_DETAIL_LENGTH, MAX_FIELDS } from '../contract/limits';
import type { FieldProblem } from '../contract/schemas';
import { cut, cutAndEscape } from '../shared/text';

const MAX_LISTED = 10;

export function toFieldProblem(issue: z.core.$ZodIssue): FieldProblem {
  const field = z.core.toDotPath(issue.path);
  if (issue.code === 'unrecognized_keys') {
    // A caller chose the names, so each is bounded.
    const keys = issue.keys.map((key) => cutAndEscape(key));
    const names = [field, listFirst(keys, ', ')].filter(Boolean).join('.');
    return { field: names, description: 'is not a field of a request: remove it' };
  }
  return { field: field || 'request', description: issue.message };
}

/**
 * Keeps the message of a failure readable: the first ten problems, and the number of the others.
 */
export function describeProblems(problems: readonly FieldProblem[]): string {
  const descriptions = problems.map(({ field, description }) => `${field} ${description}`);
  return listFirst(descriptions, '; ');
}

function listFirst(items: readonly string[], separator: string): string {
  const first = items.slice(0, MAX_LISTED);
  const unlisted = items.length - first.length;
  if (unlisted > 0) first.push(`and ${unlisted} more`);
  return first.join(separator);
}

/**
 * Bounds the number of problems and their texts. Of more problems, the last entry gives the number.
 */
export function boundProblems(problems: readonly FieldProblem[]): FieldProblem[] {
  const fields = problems.slice(0, MAX_FIELDS);
  if (problems.length > MAX_FIELDS) {
    const furtherProblems = problems.length - (MAX_FIELDS - 1);
    fields[MAX_FIELDS - 1] = {
      field: 'request',
      description: `has ${furtherProblems} more problems: correct these first`,
    };
  }
  return fields.map(({ field, description }) => ({
    field: cut(field, MAX_DETAIL_LENGTH),
    description: cut(description, MAX_DETAIL_LENGTH),
  }));
}
