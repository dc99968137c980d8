import type { AddressInfo } from 'node:net';
import fastify, { type FastifyInstance } from 'fastify';
import { atlasRoutes } from './atlas-api';
import { cloudManagerRoutes } from './cloud-manager';
import { registerControls } from './control-routes';
import { createControls, type Controls } from './controls';
import { atlasError, atlasErrorAnswer, codeForStatus } from './errors';
import { Faults } from './faults';
import { oauthRoutes } from './oauth';
import { parseSeed, type SeedInput } from './seed';
import { record, send, serve } from './serve';
import { Store } from './store';

export { DEFAULTS, DEFAULT_SEED, type SeedInput } from './seed';
export type { EmulatorState } from './controls';
export type { Fault } from './faults';
export type { RouteName } from './route-names';
export type { LinkToken, MigrationLink, RequestRecord } from './store';

const MAX_BODY_BYTES = 64 * 1024 * 1024;

export interface AtlasEmulatorOptions {
  /** 0, the default, is any free port. */
  port?: number;
  host?: string;
  seed?: SeedInput;
  /** PEM. */
  https?: { key: string; cert: string };
}

export interface AtlasEmulator extends Controls {
  /** Without a slash at the end. */
  readonly url: string;
  /** Cuts every open connection. */
  close(): Promise<void>;
}

/** Throws ZodError for a bad seed, and the system's error (EADDRINUSE, say) when it cannot listen. */
export async function startAtlasEmulator(options: AtlasEmulatorOptions = {}): Promise<AtlasEmulator> {
  const { port = 0, host = '127.0.0.1', https } = options;
  const store = new Store(parseSeed(options.seed ?? {}));
  const faults = new Faults();
  const controls = createControls(store, faults);

  const common = { forceCloseConnections: true, exposeHeadRoutes: false, bodyLimit: MAX_BODY_BYTES };
  const app = https ? (fastify({ ...common, https }) as unknown as FastifyInstance) : fastify(common);
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', { parseAs: 'string' }, (_request, body, done) => done(null, body));
  registerControls(app, controls);
  for (const route of [...oauthRoutes, ...atlasRoutes, ...cloudManagerRoutes]) {
    app.route({
      method: route.method,
      url: route.url,
      handler: async (request, reply) => {
        reply.hijack();
        await serve(route, request, reply.raw, store, faults);
      },
    });
  }
  app.setNotFoundHandler(async (request, reply) => {
    reply.hijack();
    const { answer } = atlasError('RESOURCE_NOT_FOUND', { parameters: [request.url] });
    await send(answer, request, reply.raw, record(store, 'unknown', request));
  });
  app.setErrorHandler<Error & { statusCode?: number }>((error, _request, reply) => {
    const { statusCode = 500, message: detail } = error;
    return reply
      .code(statusCode)
      .send(atlasErrorAnswer(statusCode, codeForStatus(statusCode), { detail }).body);
  });

  await app.listen({ port, host });
  const listening = (app.server.address() as AddressInfo).port;
  const hostname = host.includes(':') ? `[${host}]` : host;
  return {
    ...controls,
    url: `${https ? 'https' : 'http'}://${hostname}:${listening}`,
    close: () => app.close().then(() => undefined),
  };
}
