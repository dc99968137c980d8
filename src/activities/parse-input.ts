import type { z } from 'zod';
import { problemOf } from '../contract/check-request';
import { invalidRequest } from './failures';

/**
 * Parses what an activity was given. Our workflows send it, and so can anyone who may start work in the namespace.
 *
 * @throws ApplicationFailure of type InvalidRequest.
 */
export function parseInput<Schema extends z.ZodType>(schema: Schema, input: unknown): z.output<Schema> {
  const parsed = schema.safeParse(input);
  if (parsed.success) return parsed.data;
  throw invalidRequest(parsed.error.issues.map(problemOf));
}
