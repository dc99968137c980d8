import { z } from 'zod';

/** The timeout of an attempt would hide the sink's own message, so the duration stays below it. */
export function durationMs(min: number, max: number) {
  return z.int().min(min).max(max, `is longer than ${max}: one attempt to deliver ends after 5 minutes`);
}

export const httpFields = {
  allowHttp: z.boolean().default(false),
  timeoutMs: durationMs(100, 60_000).default(30_000),
};

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

/** Makes a schema refuse plain http in `field` unless `allowHttp` is set. */
export function withoutPlainHttp<Config extends z.ZodType<{ allowHttp: boolean }>>(
  schema: Config,
  field: keyof z.output<Config> & string,
) {
  return schema.refine(
    (config) => config.allowHttp || (config as Partial<Record<string, URL>>)[field]?.protocol !== 'http:',
    {
      path: [field],
      error:
        'is http: the token would cross the network in clear text; write https, or allowHttp: true to accept that',
      // This check runs even if other fields have problems, so that all are reported at once.
      when: () => true,
    },
  );
}
