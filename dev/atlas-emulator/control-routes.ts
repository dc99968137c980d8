import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import type { Controls, Expirable } from './controls';
import type { Fault } from './faults';
import type { SeedInput } from './seed';

type Control = [method: 'GET' | 'PUT' | 'POST' | 'DELETE', path: string, act: (body: string) => unknown];

/** The endpoints below `/_emulator/`. A body is JSON whatever its content type says, so that `curl -d` will do. */
export function registerControls(app: FastifyInstance, controls: Controls): void {
  const endpoints: Control[] = [
    ['GET', 'state', () => controls.state()],
    ['PUT', 'state', (body) => (controls.seed(JSON.parse(body) as SeedInput), controls.state())],
    ['GET', 'requests', () => countedRequests(controls)],
    ['POST', 'faults', (body) => (controls.faults(JSON.parse(body) as Fault[]), waitingFaults(controls))],
    ['DELETE', 'faults', () => controls.clearFaults()],
    ['POST', 'expire', (body) => controls.expire(JSON.parse(body) as Expirable)],
    ['POST', 'reset', () => controls.reset()],
  ];
  for (const [method, path, act] of endpoints) {
    app.route<{ Body: string | undefined }>({
      method,
      url: `/_emulator/${path}`,
      handler: async (request, reply) => {
        try {
          const result = act(request.body ?? '');
          await (result === undefined ? reply.code(204).send() : reply.send(result));
        } catch (error) {
          await reply.code(400).send({ error: inputProblem(error) });
        }
      },
    });
  }
}

function countedRequests(controls: Controls): object {
  const requests = controls.requests();
  const counts: Record<string, number> = {};
  for (const { on } of requests) counts[on] = (counts[on] ?? 0) + 1;
  return { counts, requests };
}

function waitingFaults(controls: Controls): object {
  return { faults: controls.state().faults };
}

/** Every problem of an input in words. Throws on what is no problem of the input. */
export function inputProblem(error: unknown): string {
  if (error instanceof z.ZodError) return z.prettifyError(error);
  if (error instanceof SyntaxError) return `not JSON: ${error.message}`;
  throw error;
}
