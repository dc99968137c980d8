import type { ServerResponse } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import type { FastifyRequest } from 'fastify';
import { render, type Answer } from './answer';
import { authenticate } from './authenticate';
import { deliver } from './deliver';
import { atlasErrorAnswer, RouteError } from './errors';
import { faultAnswer, replacesAnswer, type Fault, type Faults } from './faults';
import type { Call, Route } from './route';
import type { RequestRecord, Store } from './store';

/** One request: who sent it, which fault hits it, the route's work, the answer. */
export async function serve(
  route: Route,
  request: FastifyRequest,
  response: ServerResponse,
  store: Store,
  faults: Faults,
): Promise<void> {
  const entry = record(store, route.on, request);
  const { permitted, work } = prepare(route, request, store);
  const fault = faults.take(route.on, permitted);
  const pause = () => sleep(fault?.delayMs, undefined, { ref: false });

  if (fault?.delayMs && !fault.afterCreating) await pause();
  const answer = outcome(work, fault);
  if (fault?.delayMs && fault.afterCreating) await pause();
  await send(answer, request, response, entry, fault);
}

interface Prepared {
  permitted: boolean;
  /** Throws RouteError. */
  work: () => Answer;
}

function prepare(route: Route, request: FastifyRequest, store: Store): Prepared {
  const { method, url, headers } = request;
  const call: Call = {
    store,
    params: request.params as Record<string, string>,
    query: request.query as Record<string, string>,
    headers,
    body: typeof request.body === 'string' ? request.body : '',
  };
  if (route.access === 'open') return { permitted: true, work: () => route.handle(call) };
  try {
    const credential = authenticate(
      { method, url, authorization: headers.authorization },
      route.access,
      store,
    );
    return { permitted: true, work: () => route.handle({ ...call, credential }) };
  } catch (refusal) {
    const work = () => {
      throw refusal;
    };
    return { permitted: false, work };
  }
}

/** A fault that would be answered after the work yields to the route's own error: there was nothing to lose. */
function outcome(work: () => Answer, fault: Fault | undefined): Answer {
  if (fault && replacesAnswer(fault) && !fault.afterCreating) return faultAnswer(fault);
  try {
    const genuine = work();
    if (fault && replacesAnswer(fault)) return faultAnswer(fault);
    return { ...genuine, status: fault?.status ?? genuine.status };
  } catch (error) {
    if (error instanceof RouteError) return error.answer;
    return atlasErrorAnswer(500, 'UNEXPECTED_ERROR', { detail: String(error) });
  }
}

export async function send(
  answer: Answer,
  request: FastifyRequest,
  response: ServerResponse,
  entry: RequestRecord,
  fault?: Fault,
): Promise<void> {
  const contentType = fault?.contentType ?? answer.contentType;
  const shaped: Answer = {
    ...answer,
    ...(contentType !== undefined && { contentType }),
    headers: { ...answer.headers, ...fault?.headers },
  };
  if (fault?.reset !== 'before-body') entry.status = answer.status;
  entry.challenge = answer.headers?.['WWW-Authenticate']?.startsWith('Digest ') ?? false;
  await deliver(response, render(shaped, request.query as Record<string, unknown>), fault);
}

export function record(
  store: Store,
  on: RequestRecord['on'],
  { method, url }: FastifyRequest,
): RequestRecord {
  const startedAt = new Date().toISOString();
  const entry: RequestRecord = { on, method, path: url, status: null, challenge: false, startedAt };
  store.requests.push(entry);
  return entry;
}
