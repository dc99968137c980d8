import { raceSignal, withTimeout } from '../../../src/abort';
import type { HttpResponse } from '../../../src/http/response';
import { HttpError, type createSender, type HttpRequest } from '../../../src/http/send';
import { sleep } from './clock';
import type { Tape } from './tape';

/*
 * The network, in the place of src/http/send.ts, which test/unit/http/send.test.ts tries on real
 * sockets. A sender waits for the whole response, until a timeout.
 */

/** The process of a worker, as the network sees it. */
export interface Process {
  name: string;
  /** Resolves once the process goes on, if it is frozen. */
  awake(): Promise<void>;
  freeze(ms: number): void;
  kill(): void;
}

export interface SentRequest {
  process: Process;
  host: string;
  method: string;
  path: string;
  headers: HttpRequest['headers'];
  body: string;
  sentMs: number;
}

export interface Reply {
  status: number;
  json?: object;
  retryAfterMs?: number;
}

/** Acts on a request, and replies. */
export type Serve = (request: SentRequest) => Reply;

/** The worker's limit for a response, which is shorter than what a server may take. */
export const REQUEST_TIMEOUT_MS = 10_000;
/** A server carries out a request in this time, if it does. */
const MAX_REQUEST_MS = 60_000;

/**
 * What becomes of a request. A server that `acts` carries it out, at once or so much later; `reply`
 * comes in the place of its own.
 */
export interface Fate {
  name: string;
  acts: boolean | 'late';
  reply?: Reply | 'none' | 'cut';
}

const unavailable = { error: 'unavailable', errorCode: 'UNEXPECTED_ERROR' };
const SERVED: Fate = { name: 'served', acts: true };
const REFUSED: Fate = { name: 'refused connection', acts: false };
/** Below and above the timeouts of heartbeats. */
const FREEZE_MS = [4000, 15_000, 70_000, 200_000];
export const FAULTS: readonly Fate[] = [
  REFUSED,
  { name: '429', acts: false, reply: { status: 429, retryAfterMs: 20_000 } },
  { name: '429 without Retry-After', acts: false, reply: { status: 429 } },
  { name: '408, and it acts', acts: true, reply: { status: 408 } },
  { name: '500, and it acts', acts: true, reply: { status: 500, json: unavailable } },
  { name: '500', acts: false, reply: { status: 500, json: unavailable } },
  { name: '503', acts: false, reply: { status: 503, json: unavailable, retryAfterMs: 80_000 } },
  { name: '503, and it acts late', acts: 'late', reply: { status: 503, json: unavailable } },
  { name: '502 of a gateway', acts: false, reply: { status: 502 } },
  { name: '504 of a gateway, and it acts late', acts: 'late', reply: { status: 504 } },
  { name: 'cut before it arrives', acts: false, reply: 'cut' },
  { name: 'cut, and it acts', acts: true, reply: 'cut' },
  { name: 'no response, and it acts late', acts: 'late', reply: 'none' },
  { name: 'redirect', acts: false, reply: { status: 308 } },
];
/** What happens to the process around the moment at which it writes a request. */
const EVENTS = [
  ...Array<null>(40).fill(null),
  ...(['killed before', 'killed after', 'frozen before', 'frozen after'] as const),
];
const CONNECTION_MS = [2, 2, 300, 9000];
const RESPONSE_MS = [50, 50, 900, REQUEST_TIMEOUT_MS - 1];

/** @param reply null if no whole response arrives. */
export type OnResponse = (reply: Reply | null) => void;

export interface Network {
  tape: Tape;
  say: (what: string) => void;
  servers: Readonly<Record<string, Serve>>;
  /** The faults that a request may have, and how often it is served for each of them. */
  chancesOf: (request: SentRequest) => { served: number; faults: readonly Fate[] };
  /** Called when a request is written; returns what is called with what its sender gets. */
  onWritten: (request: SentRequest) => OnResponse;
  /** Keeps the simulation going until the work is done. */
  keepBusy: (work: () => Promise<void>) => void;
}

/** The network of the simulated run. Senders belong to the process that is set when they are made. */
export const surroundings = {
  network: null as Network | null,
  process: null as Process | null,
};

export function createSimulatedSender(timeoutMs: number): ReturnType<typeof createSender> {
  const network = surroundings.network as Network;
  const process = surroundings.process as Process;
  return {
    async send({ method, url, headers, body = '' }, { abort } = {}) {
      const { hostname: host, pathname: path } = new URL(url);
      const request = { process, host, method, path, headers, body, sentMs: Date.now() };
      const exchange = new Exchange(network, request);
      try {
        const reply = await withTimeout(timeoutMs, abort, (ended) =>
          raceSignal(() => exchange.carry(ended), ended),
        );
        exchange.onResponse(reply);
        return toResponse(reply);
      } catch (error) {
        exchange.onResponse(null);
        abort?.throwIfAborted();
        throw error instanceof HttpError ? error : new HttpError('TIMEOUT', exchange.isWritten);
      }
    },
    close: () => Promise.resolve(),
  };
}

function toResponse({ status, json, retryAfterMs }: Reply): HttpResponse {
  const text = json ? JSON.stringify(json) : '';
  return { status, json: json ?? null, text, challenge: null, retryAfterMs };
}

/** A request, and what becomes of it. */
class Exchange {
  isWritten = false;
  onResponse: OnResponse = () => undefined;

  constructor(
    private readonly network: Network,
    private readonly request: SentRequest,
  ) {}

  async carry(ended: AbortSignal): Promise<Reply> {
    const { tape, say, chancesOf, onWritten } = this.network;
    const { process, host, method, path } = this.request;
    const { served, faults } = chancesOf(this.request);
    const fate = tape.pick([...Array<Fate>(served).fill(SERVED), ...faults]);
    const event = tape.pick(EVENTS);
    const [moment, when] = event?.split(' ') ?? [];
    const disturb = () =>
      moment === 'killed' ? process.kill() : process.freeze(tape.pick(FREEZE_MS));

    await sleep(tape.pick(CONNECTION_MS));
    const what = [fate.name, event].filter(Boolean).join(', ');
    const sends = `${process.name} sends ${method} ${host}${path}: ${what}`;
    if (fate === REFUSED || event === 'killed before') say(sends);
    if (fate === REFUSED) throw new HttpError('ECONNREFUSED', false);
    if (when === 'before') disturb();
    await process.awake();
    ended.throwIfAborted();
    say(sends);
    this.isWritten = true;
    this.onResponse = onWritten(this.request);
    if (when === 'after') setTimeout(disturb, 20);
    const reply = await this.awaitReply(fate);
    await process.awake();
    return reply;
  }

  private async awaitReply({ acts, reply }: Fate): Promise<Reply> {
    const { tape, servers, keepBusy } = this.network;
    const server = servers[this.request.host] as Serve;
    const serve = () => server(this.request);
    if (acts === 'late') {
      const lateMs = tape.pick([15_000, 30_000, MAX_REQUEST_MS]);
      keepBusy(() => sleep(lateMs).then(() => void serve()));
    }
    await sleep(tape.pick(RESPONSE_MS));
    const own = acts === true ? serve() : null;
    if (reply === 'cut') throw new HttpError('UND_ERR_SOCKET', true);
    // The sender's timeout ends its wait.
    if (reply === 'none') await new Promise(() => undefined);
    return (reply ?? own) as Reply;
  }
}
