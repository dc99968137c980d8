import { randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import type { RequestListener, ServerResponse } from 'node:http';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
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

it('says who calls, and signs with both secrets while rotating, so that either verifies', async () => {
  const delivery = newDelivery();
  await deliver({}, delivery);
  const { token, ...facts } = delivery;
  const [{ headers, body }] = received as [Received];
  expect(headers['user-agent']).toBe(`live-migration-prep/${VERSION}`);
  for (const secret of [NEW, OLD]) {
    expect(new Webhook(secret).verify(body, headers)).toEqual({
      type: 'link-token.created',
      timestamp: expect.stringMatching(/^\d{4}-.*Z$/),
      data: { linkToken: token, ...facts },
    });
  }
  expect(() => new Webhook(newSecret()).verify(body, headers)).toThrow();
});

it.each([{}, { sourceOrgId: null, requestedBy: null, changeReference: null }])(
  'sends what its schema says, given %j',
  async (given) => {
    await deliver({}, newDelivery(given));
    const event: unknown = JSON.parse(received[0]?.body ?? '');
    expect(linkTokenCreatedSchema.parse(event)).toEqual(event);
  },
);

it('repeats the id and not the timestamp', async () => {
  const delivery = newDelivery();
  await deliver({}, delivery);
  await sleep(1100);
  await deliver({}, delivery);
  const ids = received.map(({ headers }) => headers['webhook-id']);
  expect(ids).toEqual([delivery.deliveryId, delivery.deliveryId]);
  const [first, second] = received.map(({ headers }) => Number(headers['webhook-timestamp']));
  expect(second).toBeGreaterThan(Number(first));
});

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

/** Ends of a response, behind a status that has arrived. */
const BROKEN_BODIES: [string, (response: ServerResponse) => void][] = [
  ['never ends', (response) => void response.write('x')],
  [
    'is cut off',
    (response) => {
      response.setHeader('content-length', 100).write('x', () => response.destroy());
    },
  ],
  [
    'is not the gzip it claims to be',
    (response) => void response.setHeader('content-encoding', 'gzip').end('not gzip'),
  ],
];

it.each(BROKEN_BODIES)('decides by the status alone when the body %s', async (_what, end) => {
  respond = (request, response) => {
    response.statusCode = Number(request.url?.slice(1));
    end(response.setHeader('retry-after', '9'));
  };
  const outcomeOf = (status: number) =>
    deliver({ url: `${server.url}/${status}`, timeoutMs: 2000 }).catch((error: unknown) => error);
  const [ok, accepted, forbidden, down] = await Promise.all([200, 202, 403, 503].map(outcomeOf));
  expect(ok).toContain('responded with 200');
  expect(accepted).toContain('responded with 202');
  expect(forbidden).toMatchObject({ name: 'SinkRejectedError' });
  expect(down).toMatchObject({
    name: 'SinkUnavailableError',
    message: expect.stringContaining('responded with 503'),
    retryAfterMs: 9000,
  });
  expect(received).toHaveLength(4);
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
    await eventually('the receiver', () =>
      fetch(url).then(
        ({ status }) => status === 401,
        () => false,
      ),
    );
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
