import { z } from 'zod';

/** The fields of a configuration that say where an HTTP server is, and how long one request to it may take. */
export const httpFields = {
  allowHttp: z.boolean().default(false),
  timeoutMs: z.int().min(100).max(300_000).default(30_000),
};

/** Schema of an http(s) URL without credentials in it. */
export const httpUrl = z.string('name its URL').transform((text, issues): URL => {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (!url || !['https:', 'http:'].includes(url.protocol)) {
    issues.addIssue('is not a URL: write https://, the host and the path');
    return z.NEVER;
  }
  if (url.username || url.password) {
    issues.addIssue('holds credentials: take them out, they would be logged');
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
        'is http: the token would cross the network in the clear; write https, or allowHttp: true to accept that',
      // Told together with the other problems, not only once they are mended.
      when: () => true,
    },
  );
}

/** `path` below `base`, whose own path stays in front. */
export function below(base: URL, path: string): URL {
  return new URL(base.href.replace(/[?#].*$/, '').replace(/\/+$/, '') + path);
}
