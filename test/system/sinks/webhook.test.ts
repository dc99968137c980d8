import { randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import type { RequestListener } from 'node:http';
import path from 'node:path';
import { Webhook } from 'standardwebhooks';
import { freePort } from '../../../dev/temporal/free-port';
import { startTethered } from '../../../dev/temporal/tethered-process';
import { SecretUnavailableError } from '../../../src/secrets/references';
import { SinkUnavailableError } from '../../../src/sinks/sink';
import { linkTokenCreatedSchema } from '../../../src/sinks/webhook';
import { VERSION } from '../../../src/version';
import { newFolder } from '../../support/clean-up';
import { eventually } from '../../support/eventually';
import { serveHttp, type TestServer } from '../../support/servers';
import { newDelivery } from '../../support/sinks/delivery';
import { blockOf } from '../../support/sinks/docs';
import { webhookFixture } from '../../support/sinks/fixtures/webhook';
import { makeSink, type Env } from '../../support/sinks/make-sink';
import { testContract } from './contract';

testContract(webhookFixture);

interface Received {
  headers: Record<string, string>;
  body: string;
}

const newSecret = () => `whsec_${randomBytes(32).toString('base64')}`;
const [NEW, OLD] = [newSecret(), newSecret()];
const received: Received[] = [];
let server: TestServer;
let respond: RequestListener;

beforeEach(async () => {
  received.length = 0;
  respond = (_request, response) => void response.writeHead(200).end();
  server = await serveHttp((request, response) => {
    received.push({ headers: request.headers as Record<string, string>, body: request.text });
    respond(request, response);
  });
});

function webhook(overrides: object = {}, env: Env = { NEW, OLD }) {
  const config = { type: 'webhook', url: `${server.url}/hook/canary-path?key=canary-query`, allowHttp: true };
  return makeSink({ ...config, signingSecrets: [{ env: 'NEW' }, { env: 'OLD' }], ...overrides }, env);
}

async function deliver(overrides: object = {}, delivery = newDelivery()) {
  return (await webhook(overrides)).deliver(delivery, new AbortController().signal);
}

it.each([{}, { sourceOrgId: null, requestedBy: null, changeReference: null }])(
  'says who calls, and sends what its schema says, signed now and with both secrets of a rotation, given %j',
  async (given) => {
    const delivery = newDelivery({ createdAt: '2026-01-01T00:00:00.000Z', ...given });
    await deliver({}, delivery);
    const { token, ...facts } = delivery;
    const [{ headers, body }] = received as [Received];
    expect(headers['user-agent']).toBe(`live-migration-prep/${VERSION}`);
    for (const secret of [NEW, OLD]) {
      // It refuses a signature that is older than five minutes.
      const event = new Webhook(secret).verify(body, headers);
      expect(event).toMatchObject({ type: 'link-token.created', data: { linkToken: token, ...facts } });
      expect(linkTokenCreatedSchema.parse(event)).toEqual(event);
    }
    expect(() => new Webhook(newSecret()).verify(body, headers)).toThrow();
  },
);

it.each<[name: string, statuses: number[]]>([
  ['SinkRejectedError', [400, 401, 404, 410, 422, 301, 302, 303, 307, 308]],
  ['SinkUnavailableError', [408, 425, 429, 500, 502, 503]],
])('ends with %s for %j, follows no redirect, and shows neither body nor path', async (name, statuses) => {
  for (const status of statuses) {
    respond = (_request, response) =>
      void response.writeHead(status, { location: '/elsewhere' }).end(received.at(-1)?.body);
    const failing = deliver();
    const message = expect.stringContaining(`${server.url} responded with ${status}`);
    await expect(failing).rejects.toMatchObject({ name, message });
    await expect(failing).rejects.not.toThrow('canary');
  }
  expect(received).toHaveLength(statuses.length);
});

it('fails an attempt that gets no response in time', async () => {
  respond = () => undefined;
  await expect(deliver({ timeoutMs: 200 })).rejects.toThrow(
    new SinkUnavailableError(`no complete response from the webhook at ${server.url} within 200 ms`),
  );
});

it.each([
  [200, /responded with 200/],
  [202, /responded with 202/],
  [403, { name: 'SinkRejectedError' }],
  [503, { name: 'SinkUnavailableError', retryAfterMs: 9000 }],
])('decides by the status %i alone when the body is cut off', async (status, outcome) => {
  respond = (_request, response) => {
    response.writeHead(status, { 'retry-after': '9', 'content-length': 100 });
    response.write('x', () => response.destroy());
  };
  const ended = await deliver().catch((error: unknown) => error);
  if (outcome instanceof RegExp) expect(ended).toMatch(outcome);
  else expect(ended).toMatchObject(outcome);
  expect(received).toHaveLength(1);
});

it('reads a rotated secret anew, and names the source of a spoiled one', async () => {
  const env: Env = { NEW, OLD };
  const sink = await webhook({}, env);
  env['NEW'] = 'canary-spoiled';
  const failing = sink.deliver(newDelivery(), new AbortController().signal);
  await expect(failing).rejects.toThrow(SecretUnavailableError);
  await expect(failing).rejects.toThrow(/environment variable NEW is not a signing secret/);
  await expect(failing).rejects.not.toThrow('canary');
});

it('the receiver of docs/sinks/webhook.md takes each token once, and nothing that is not signed', async () => {
  const folder = newFolder();
  const port = await freePort();
  writeFileSync(path.join(folder, 'receiver.mjs'), blockOf('webhook', 'js'));
  symlinkSync(path.resolve(__dirname, '../../../node_modules'), path.join(folder, 'node_modules'));
  const tokens = path.join(folder, 'tokens');
  mkdirSync(tokens);
  const receiver = startTethered('sh', ['-c', `cd ${tokens} && exec ${process.execPath} ../receiver.mjs`], {
    env: { ...process.env, WEBHOOK_SECRET: NEW, PORT: String(port) },
    logFile: path.join(folder, 'receiver.log'),
  });
  const url = `http://127.0.0.1:${port}/`;
  try {
    await eventually('the receiver', () => fetch(url).catch(() => null));
    const delivery = newDelivery();
    await deliver({ url }, delivery);
    await deliver({ url }, delivery);
    const file = `${delivery.deliveryId}.link-token`;
    expect(readdirSync(tokens)).toEqual([file]);
    expect(readFileSync(path.join(tokens, file), 'utf8')).toBe(delivery.token);
    await expect(deliver({ url, signingSecrets: [{ env: 'OLD' }] })).rejects.toThrow(/responded with 401/);
    rmSync(tokens, { recursive: true });
    await expect(deliver({ url })).rejects.toThrow(/responded with 500/);
  } finally {
    await receiver.end('SIGKILL');
  }
});
