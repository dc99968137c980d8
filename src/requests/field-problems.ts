import { z } from 'zod';
import type { FieldProblem } from '../contract/schemas';
import { cutAndEscape, listFirst } from '../shared/text';

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
