import type { IncomingHttpHeaders } from 'node:http';
import { atlasError } from './errors';

/** The one version the emulated resources have; a later date resolves to it. */
const VERSION = '2023-01-01';
export const VERSIONED_JSON = `application/vnd.atlas.${VERSION}+json;charset=utf-8`;

/** Throws RouteError: 406 for no or an unknown version in Accept, 410 for a withdrawn one. */
export function requireVersion({ accept = '' }: IncomingHttpHeaders, withdrawn: string[]): void {
  const asked = accept
    .split(',')
    .map((type) => /^\s*application\/vnd\.atlas\.(\d{4}-\d{2}-\d{2})\+json\s*(;|$)/i.exec(type)?.[1])
    .find((date) => date !== undefined && !Number.isNaN(Date.parse(date)));
  if (asked === undefined) throw atlasError('INVALID_VERSION_DATE');
  const resolved = asked >= VERSION ? VERSION : undefined;
  const gone = withdrawn.find((date) => date === asked || date === resolved);
  if (gone !== undefined) throw atlasError('VERSION_WITHDRAWN', { parameters: [gone] });
  if (resolved === undefined) throw atlasError('INVALID_VERSION_DATE');
}

/** Throws RouteError (415) unless the body is declared as JSON, plain or versioned. */
export function requireJson({ 'content-type': contentType = '' }: IncomingHttpHeaders): void {
  if (/^application\/(vnd\.atlas\.\d{4}-\d{2}-\d{2}\+)?json\s*(;|$)/i.test(contentType)) return;
  throw atlasError('UNSUPPORTED_MEDIA_TYPE', { parameters: [contentType] });
}
