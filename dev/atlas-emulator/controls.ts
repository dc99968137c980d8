import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { parseFaults, type Fault, type RouteName } from './faults';
import { parseSeed, type SeedInput } from './seed';
import type { RequestRecord, State } from './state';

const expirable = z.enum(['accessTokens', 'nonces']);

/** Controls of a running emulator, for tests and for the endpoints below `/_emulator/`. */
export type Controls = ReturnType<typeof createControls>;

export function createControls(state: State) {
  return {
    /** Says what exists from now on; what has happened stays. Throws ZodError. */
    seed: (seed: SeedInput) => void (state.seed = parseSeed(seed)),
    /** Adds faults behind those that wait. Throws ZodError. */
    faults: (faults: Fault | Fault[]) => state.faults.add(parseFaults(faults)),
    /** Forgets the faults that wait, and ends the delays of those under way. */
    clearFaults: () => state.faults.clear(),
    /** Ends all access tokens or all nonces at once, as if they had expired. */
    expire: (what: z.output<typeof expirable>) => state[expirable.parse(what)].expire(),
    requests: () => structuredClone(state.requests),
    requestsOn: (on: RouteName) =>
      structuredClone(state.requests.filter((request) => request.on === on)),
    createdTokens: () => structuredClone(state.linkTokens.all),
    state: () => state.visible(),
    /** Forgets all that has happened, the faults that wait, and every seed but the first. */
    reset: () => state.reset(),
  };
}

/**
 * Registers the endpoints below `/_emulator/`. A body is JSON whatever its type says, for
 * `curl -d`.
 */
export function registerControls(app: FastifyInstance, controls: Controls): void {
  const endpoints: Record<string, (body: string) => unknown> = {
    'GET state': () => controls.state(),
    'PUT state'(body) {
      controls.seed(JSON.parse(body) as SeedInput);
      return controls.state();
    },
    'GET requests': () => countRequests(controls.requests()),
    'POST faults'(body) {
      controls.faults(JSON.parse(body) as Fault[]);
      return { faults: controls.state().faults };
    },
    'DELETE faults': () => controls.clearFaults(),
    'POST expire': (body) => controls.expire(JSON.parse(body) as 'nonces'),
    'POST reset': () => controls.reset(),
  };
  for (const [endpoint, handle] of Object.entries(endpoints)) {
    const [method = '', path = ''] = endpoint.split(' ');
    app.route<{ Body: string | undefined }>({
      method,
      url: `/_emulator/${path}`,
      handler: async ({ body }, reply) => {
        try {
          const result = handle(body ?? '');
          await (result === undefined ? reply.code(204).send() : reply.send(result));
        } catch (error) {
          await reply.code(400).send({ error: inputProblem(error) });
        }
      },
    });
  }
}

function countRequests(requests: RequestRecord[]): object {
  const counts: Record<string, number> = {};
  for (const { on } of requests) counts[on] = (counts[on] ?? 0) + 1;
  return { counts, requests };
}

/** Describes every problem of an input. Throws an error that is not about the input. */
export function inputProblem(error: unknown): string {
  if (error instanceof z.ZodError) return z.prettifyError(error);
  if (error instanceof SyntaxError) return `not JSON: ${error.message}`;
  throw error;
}
