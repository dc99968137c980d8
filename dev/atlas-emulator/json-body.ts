import type { z } from 'zod';
import { atlasError } from './responses';
import type { Call } from './route';

/** Parses the body. @throws RouteError: 415, or 400 with INVALID_JSON or VALIDATION_ERROR. */
export function parseJsonBody<T>({ headers, body }: Call, schema: z.ZodType<T>): T {
  const { 'content-type': contentType = '' } = headers;
  if (!/^application\/(vnd\.atlas\.\d{4}-\d{2}-\d{2}\+)?json\s*(;|$)/i.test(contentType)) {
    throw atlasError('UNSUPPORTED_MEDIA_TYPE', { parameters: [contentType] });
  }
  const parsed = schema.safeParse(parseJson(body));
  if (parsed.success) return parsed.data;
  const fields = parsed.error.issues.map(({ path, message }) => ({
    description: message,
    field: path.join('.'),
  }));
  throw atlasError('VALIDATION_ERROR', { fields });
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw atlasError('INVALID_JSON');
  }
}
