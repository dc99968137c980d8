import type { ServerResponse } from 'node:http';
import fastify, { type FastifyInstance, type FastifyRequest } from 'fastify';
import { apiKeyRoutes } from './api-keys';
import { atlasRoutes } from './atlas-api';
import { authenticate, findOrganization } from './authentication';
import { cloudManagerRoutes } from './cloud-manager';
import { createControls, registerControls, type Controls } from './controls';
import { replacementFor, type Fault } from './faults';
import { oauthRoutes } from './oauth';
import { respond } from './respond';
import { atlasError, codeForStatus, RouteError, type RouteResponse } from './responses';
import type { Call, Endpoint } from './route';
import { parseSeed, type SeedInput } from './seed';
import { State, type RequestRecord } from './state';

const MAX_BODY_BYTES = 64 * 1024 * 1024;

export interface AtlasEmulatorOptions {
  /** 0, the default, is any free port. */
  port?: number;
  host?: string;
  seed?: SeedInput;
  /** PEM. */
  https?: { key: string; cert: string } | undefined;
}

export interface AtlasEmulator extends Controls {
  /** Address without a slash at the end. */
  readonly url: string;
  /** Cuts every open connection. */
  close(): Promise<void>;
}

/**
 * Throws ZodError for a bad seed, and the system's error (EADDRINUSE, say) when it cannot listen.
 */
export async function startAtlasEmulator(
  options: AtlasEmulatorOptions = {},
): Promise<AtlasEmulator> {
  const { port = 0, host = '127.0.0.1', https } = options;
  const state = new State(parseSeed(options.seed ?? {}));
  const controls = createControls(state);

  const common = {
    forceCloseConnections: true,
    exposeHeadRoutes: false,
    bodyLimit: MAX_BODY_BYTES,
  };
  const app = https
    ? (fastify({ ...common, https }) as unknown as FastifyInstance)
    : fastify(common);
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', { parseAs: 'string' }, (_request, body, done) => done(null, body));
  registerControls(app, controls);
  for (const route of [...oauthRoutes, ...atlasRoutes, ...apiKeyRoutes, ...cloudManagerRoutes]) {
    app.route({
      method: route.method,
      url: route.url,
      handler: async (request, reply) => {
        reply.hijack();
        await serve(route, request, reply.raw, state);
      },
    });
  }
  app.setNotFoundHandler(async (request, reply) => {
    reply.hijack();
    const handle = () => {
      throw atlasError('RESOURCE_NOT_FOUND', { parameters: [request.url] });
    };
    await serve({ on: 'unknown', access: 'open', handle }, request, reply.raw, state);
  });
  app.setErrorHandler<Error & { statusCode?: number }>((error, _request, reply) => {
    const { statusCode: status = 500, message: detail } = error;
    return reply
      .code(status)
      .send(atlasError(codeForStatus(status), { status, detail }).response.body);
  });

  const url = await app.listen({ port, host });
  return { ...controls, url, close: () => app.close().then(() => undefined) };
}

/** One request: who sent it, which fault hits it, the route's work, the response. */
async function serve(
  route: Endpoint,
  request: FastifyRequest,
  raw: ServerResponse,
  state: State,
): Promise<void> {
  const entry: RequestRecord = {
    on: route.on,
    method: request.method,
    path: request.url,
    status: null,
    challenge: false,
    startedAt: new Date().toISOString(),
  };
  state.requests.push(entry);
  const work = admit(route, request, state);
  const fault = state.faults.take(
    route.on,
    findOrganization(request, state),
    !(work instanceof RouteError),
  );

  if (fault?.delayMs && !fault.afterCreating) await state.faults.delay(fault.delayMs);
  const response = outcome(work, fault);
  if (fault?.delayMs && fault.afterCreating) await state.faults.delay(fault.delayMs);

  if (fault?.reset !== 'before-body') entry.status = response.status;
  entry.challenge = response.headers?.['WWW-Authenticate']?.startsWith('Digest ') ?? false;
  await respond(raw, response, request.query as Record<string, string>, fault);
}

/**
 * The route's work, which may throw RouteError; or the error with which the request is refused
 * before it.
 */
function admit(
  route: Endpoint,
  request: FastifyRequest,
  state: State,
): (() => RouteResponse) | RouteError {
  const call: Call = {
    state,
    address: request.ip,
    path: request.url.replace(/\?.*/, ''),
    params: request.params as Record<string, string>,
    query: request.query as Record<string, string>,
    headers: request.headers,
    body: typeof request.body === 'string' ? request.body : '',
  };
  if (route.access === 'open') return () => route.handle(call);
  try {
    const credential = authenticate(request, route.access, state);
    return () => route.handle({ ...call, credential });
  } catch (error) {
    if (error instanceof RouteError) return error;
    throw error;
  }
}

/**
 * Decides the response. A fault after the route's work does not apply when that fails: nothing was
 * created.
 */
function outcome(
  work: (() => RouteResponse) | RouteError,
  fault: Fault | undefined,
): RouteResponse {
  const replacement = fault && replacementFor(fault);
  if (replacement && !fault.afterCreating) return replacement;
  try {
    if (work instanceof RouteError) throw work;
    const response = work();
    return replacement ?? { ...response, status: fault?.status ?? response.status };
  } catch (error) {
    if (error instanceof RouteError) return error.response;
    return atlasError('UNEXPECTED_ERROR', { detail: String(error) }).response;
  }
}
