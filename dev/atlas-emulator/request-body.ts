import type { z } from 'zod';
import { atlasError } from './errors';

/** The body in its shape. Throws RouteError (400): INVALID_JSON, or VALIDATION_ERROR naming each field. */
export function parseBody<T>(text: string, schema: z.ZodType<T>): T {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    throw atlasError('INVALID_JSON');
  }
  const parsed = schema.safeParse(json);
  if (parsed.success) return parsed.data;
  const fields = parsed.error.issues.map(({ path, message }) => ({
    description: message,
    field: path.join('.'),
  }));
  throw atlasError('VALIDATION_ERROR', { fields });
}
