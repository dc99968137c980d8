import { z } from 'zod';

/**
 * Creates the schema of a timeout. A sink must time out before the attempt does: otherwise the
 * attempt's timeout would hide the sink's message.
 */
export function durationMs(min: number, max: number) {
  return z
    .int()
    .min(min)
    .max(max, `is longer than ${max} ms: one attempt to deliver ends after 5 minutes`);
}

export const httpUrl = z.string('name its URL').transform((text, issues): URL => {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (!url || !['https:', 'http:'].includes(url.protocol)) {
    issues.addIssue('is not a URL: write https://, the host and the path');
    return z.NEVER;
  }
  if (url.username || url.password) {
    issues.addIssue('contains credentials: remove them, they would be logged');
    return z.NEVER;
  }
  return url;
});

/**
 * Creates the schema of a sink that is reached by HTTP. It refuses plain http in `urlField` without
 * `allowHttp`.
 */
export function httpConfig<Shape extends z.ZodRawShape>(
  urlField: keyof Shape & string,
  shape: Shape,
) {
  const isEncrypted = (config: unknown) => {
    const { allowHttp, [urlField]: url } = config as { allowHttp: boolean } & Record<
      string,
      URL | undefined
    >;
    return allowHttp || url?.protocol !== 'http:';
  };
  const allowHttp = z.boolean().default(false);
  const timeoutMs = durationMs(100, 60_000).default(30_000);
  return z.strictObject({ ...shape, allowHttp, timeoutMs }).refine(isEncrypted, {
    path: [urlField],
    error:
      'is http: the token would cross the network in clear text; write https, or allowHttp:' +
      ' true to accept that',
    // This check runs even if other fields have problems, so that all are reported at once.
    when: () => true,
  });
}
