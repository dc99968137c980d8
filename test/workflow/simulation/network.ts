import type * as Undici from 'undici';
import type { Dispatcher } from 'undici';
import { byClock, nowMs, sleep } from './clock';
import type { Tape } from './tape';

/*
 * The network below src/http/send.ts, in the place of undici's EnvHttpProxyAgent. Of undici it
 * keeps what a caller sees: `onRequestStart` comes on a connection, right before the request is
 * written, and an abort ends the request at any time (test/unit/http/send.test.ts and network.test.ts compare).
 */

/** The process of a worker, as the network sees it. */
export interface Process {
  name: string;
  clock: { errorMs: number };
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
  headers: Readonly<Record<string, string>>;
  body: string;
  sentMs: number;
}

export interface Reply {
  status: number;
  headers?: Record<string, string>;
  /** JSON, or a text as it is. */
  body?: object | string;
}

/** Acts on a request, and replies. */
export type Serve = (request: SentRequest) => Reply;

/** The worker's limit for a response, which is shorter than what a server may take. */
export const REQUEST_TIMEOUT_MS = 10_000;
/** A server carries out a request in this time, if it does. */
const MAX_REQUEST_MS = 60_000;
/** No response comes within the worker's limit. */
const NEVER_MS = 2 * MAX_REQUEST_MS;

/**
 * What becomes of a request. A server that `acts` carries it out, at once or so much later; `reply`
 * comes in the place of its own.
 */
export interface Fate {
  name: string;
  acts: boolean | 'late';
  reply?: Reply | 'none' | 'cut';
}

const page = '<html>Bad Gateway</html>';
const unavailable = { error: 'unavailable', errorCode: 'UNEXPECTED_ERROR' };
export const SERVED: Fate = { name: 'served', acts: true };
const REFUSED: Fate = { name: 'refused connection', acts: false };
const CUT_IN_BODY: Fate = { name: 'cut in the body', acts: true };
/** A response may request a wait in seconds or, here as `date`, until 20 s from now. */
const DATE_MS = 20_000;
/** Below and above the timeouts of heartbeats. */
const FREEZE_MS = [4000, 15_000, 70_000, 200_000];
export const FAULTS: readonly Fate[] = [
  REFUSED,
  CUT_IN_BODY,
  { name: '429', acts: false, reply: { status: 429, headers: { 'retry-after': '20' } } },
  { name: '429 until', acts: false, reply: { status: 429, headers: { 'retry-after': 'date' } } },
  { name: '429 without Retry-After', acts: false, reply: { status: 429 } },
  { name: '408, and it acts', acts: true, reply: { status: 408 } },
  { name: '500, and it acts', acts: true, reply: { status: 500, body: unavailable } },
  { name: '500', acts: false, reply: { status: 500, body: unavailable } },
  { name: '503', acts: false, reply: { status: 503, body: unavailable } },
  {
    name: '503 with Retry-After',
    acts: false,
    reply: { status: 503, body: unavailable, headers: { 'retry-after': '80' } },
  },
  { name: '503, and it acts late', acts: 'late', reply: { status: 503, body: unavailable } },
  { name: 'gateway page', acts: false, reply: { status: 502, body: page } },
  { name: '504, and it acts late', acts: 'late', reply: { status: 504, body: page } },
  { name: 'cut before it arrives', acts: false, reply: 'cut' },
  { name: 'cut, and it acts', acts: true, reply: 'cut' },
  { name: 'no response, and it acts late', acts: 'late', reply: 'none' },
  { name: 'redirect', acts: false, reply: { status: 308, headers: { location: '/' } } },
];
/** What happens to the process around the moment at which it writes a request. */
const EVENTS = [
  ...Array<null>(40).fill(null),
  ...(['killed before', 'killed after', 'frozen before', 'frozen after'] as const),
];
const CONNECTION_MS = [2, 2, 300, 9000];
const RESPONSE_MS = [50, 50, 900, REQUEST_TIMEOUT_MS - 1];

/** @param status null if no response arrives, or not the whole body of a success. */
export type OnResponse = (status: number | null, body: string, retryAfterMs: number) => void;

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

/** The network of the simulated run. Agents belong to the process that is set when they are made. */
export const surroundings = {
  network: null as Network | null,
  process: null as Process | null,
  callFolder: null as null | ((operation: string, file: string, token: string) => Promise<string>),
};

const codeError = (code: string) => Object.assign(new Error(code), { code });

const { Dispatcher: BaseDispatcher } = jest.requireActual<typeof Undici>('undici');

export class SimulatedAgent extends BaseDispatcher {
  private readonly network = surroundings.network as Network;
  private readonly process = surroundings.process as Process;

  override dispatch(
    options: Dispatcher.DispatchOptions,
    handler: Dispatcher.DispatchHandler,
  ): boolean {
    const { origin, path, method, headers, body } = options;
    const request: SentRequest = {
      process: this.process,
      host: new URL(String(origin)).hostname,
      method,
      path,
      headers: headers as Record<string, string>,
      body: typeof body === 'string' ? body : '',
      sentMs: nowMs(),
    };
    const controller = new Controller(handler);
    carry(this.network, request, handler, controller).catch((error: unknown) =>
      controller.abort(error as Error),
    );
    return true;
  }

  override destroy(): Promise<void> {
    return Promise.resolve();
  }
}

class Controller implements Dispatcher.DispatchController {
  aborted = false;
  reason: Error | null = null;
  readonly paused = false;
  onResponse: OnResponse = () => undefined;
  status = 0;
  retryAfterMs = 0;

  constructor(private readonly handler: Dispatcher.DispatchHandler) {}

  abort(reason: Error): void {
    if (this.aborted) return;
    this.aborted = true;
    this.reason = reason;
    // From 300 on the status decides, although the body is cut.
    const status = this.status >= 300 ? this.status : null;
    this.onResponse(status, '', status === null ? 0 : this.retryAfterMs);
    this.handler.onResponseError?.(this, reason);
  }

  isOver(): boolean {
    return this.aborted;
  }

  pause(): void {}
  resume(): void {}
}

async function carry(
  { tape, say, servers, onWritten, chancesOf, keepBusy }: Network,
  request: SentRequest,
  handler: Dispatcher.DispatchHandler,
  controller: Controller,
): Promise<void> {
  const { process, host, method, path } = request;
  const { served, faults } = chancesOf(request);
  const fate = tape.pick([...Array<Fate>(served).fill(SERVED), ...faults]);
  const event = tape.pick(EVENTS);
  const [moment, when] = event?.split(' ') ?? [];
  const disturb = () =>
    moment === 'killed' ? process.kill() : process.freeze(tape.pick(FREEZE_MS));

  await sleep(tape.pick(CONNECTION_MS));
  const what = [fate.name, event].filter(Boolean).join(', ');
  const sends = `${process.name} sends ${method} ${host}${path}: ${what}`;
  if (fate === REFUSED || event === 'killed before') say(sends);
  if (fate === REFUSED) throw codeError('ECONNREFUSED');
  if (when === 'before') disturb();
  await process.awake();
  handler.onRequestStart?.(controller, {});
  if (controller.isOver()) return;
  say(sends);
  controller.onResponse = onWritten(request);
  if (when === 'after') setTimeout(disturb, 20);

  const serve = () => byClock({ errorMs: 0 }, () => (servers[host] as Serve)(request));
  if (fate.acts === 'late') {
    const lateMs = tape.pick([15_000, 30_000, MAX_REQUEST_MS]);
    keepBusy(() => sleep(lateMs).then(() => void serve()));
  }
  await sleep(tape.pick(RESPONSE_MS));
  const own = fate.acts === true ? serve() : null;
  if (fate.reply === 'cut') throw codeError('UND_ERR_SOCKET');
  if (fate.reply === 'none') await sleep(NEVER_MS);
  const reply = (fate.reply ?? own) as Reply;
  await process.awake();
  if (controller.isOver()) return;
  const text = toText(reply);
  const isCut = fate === CUT_IN_BODY;
  const { status } = reply;
  handler.onResponseStart?.(controller, status, toHeaders(reply));
  controller.status = status;
  controller.retryAfterMs = toWaitMs(reply);
  const half = Math.floor(text.length / 2);
  handler.onResponseData?.(controller, Buffer.from(text.slice(0, half)));
  await sleep(tape.pick([0, 300]));
  await process.awake();
  if (controller.isOver()) return;
  if (isCut) throw codeError('UND_ERR_SOCKET');
  handler.onResponseData?.(controller, Buffer.from(text.slice(half)));
  controller.onResponse(status, text, controller.retryAfterMs);
  controller.onResponse = () => undefined;
  handler.onResponseEnd?.(controller, {});
}

function toText({ body = '' }: Reply): string {
  return typeof body === 'string' ? body : JSON.stringify(body);
}

function toWaitMs({ headers = {} }: Reply): number {
  const { 'retry-after': value = '0' } = headers;
  return value === 'date' ? DATE_MS : Number(value) * 1000;
}

function toHeaders(reply: Reply): Record<string, string> {
  const { 'retry-after': retryAfter, ...others } = reply.headers ?? {};
  const date = (ms: number) => new Date(nowMs() + ms).toUTCString();
  const value = retryAfter === 'date' ? date(toWaitMs(reply)) : retryAfter;
  const all = Object.entries({ date: date(0), ...others, ...(value && { 'retry-after': value }) });
  return Object.fromEntries(all.map(([name, text]) => [name.toLowerCase(), text]));
}
