import { randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import type { RequestListener } from 'node:http';
import path from 'node:path';
import { Webhook } from 'standardwebhooks';
import { startChildProcess } from '../../../dev/temporal/child-process';
import { freePort } from '../../../dev/temporal/free-port';
import { SecretUnavailableError } from '../../../src/secrets/read-secret';
import { linkTokenCreatedSchema } from '../../../src/sinks/webhook';
import { cleanUpLater, newFolder } from '../../support/clean-up';
import { eventually } from '../../support/eventually';
import { ROOT, codeBlocks, page } from '../../support/markdown';
import { certificateFor, serveHttp, serveHttps } from '../../support/servers';
import { makeSink, newDelivery, sinkError, type Env } from '../../support/sinks';
import { startTcpProxy } from '../../support/tcp-proxy';
import { testContract } from './contract';

interface Received {
  headers: Record<string, string>;
  body: string;
}

const newSecret = () => `whsec_${randomBytes(32).toString('base64')}`;
const [NEW, OLD] = [newSecret(), newSecret()];
const signingSecrets = [{ env: 'NEW' }, { env: 'OLD' }];

const fixture = testContract('webhook', async () => {
  const stored = new Map<string, ReturnType<typeof linkTokenCreatedSchema.parse>['data']>();
  const refused = new Set<string>();
  /** Verifies, and takes each `webhook-id` once, as Standard Webhooks describe it. */
  const server = await serveHttp(({ method, headers, text }, response) => {
    if (method !== 'POST') {
      response.writeHead(405).end();
      return;
    }
    const id = String(headers['webhook-id']);
    const event = new Webhook(OLD).verify(text, headers as Record<string, string>);
    // As a careless receiver does.
    if (refused.has(id)) response.writeHead(400).end(text);
    else {
      stored.set(id, linkTokenCreatedSchema.parse(event).data);
      response.writeHead(204).end();
    }
  });
  const proxy = await startTcpProxy(server.address);
  return {
    keepsFormer: true,
    configFor: () => ({
      type: 'webhook',
      url: `http://${proxy.address}/canary-path?key=canary-query`,
      allowHttp: true,
      signingSecrets,
    }),
    env: { NEW, OLD },
    canaries: [
      'canary-path',
      'canary-query',
      ...[NEW, OLD].map((secret) => secret.slice('whsec_'.length)),
    ],
    locationOf: ({ deliveryId }) =>
      `the webhook at http://${proxy.address}, which accepted webhook-id ${deliveryId}`,
    held: ({ orgId, sourceOrgId }) =>
      [...stored.values()]
        .filter((data) => data.orgId === orgId && data.sourceOrgId === sourceOrgId)
        .map(({ linkToken }) => linkToken),
    refuse: ({ deliveryId }) => refused.add(deliveryId),
    proxy,
    write: /^POST /,
  };
});

/** Creates a sink whose receiver has this handler. */
async function webhook(respond: RequestListener, overrides: object = {}, env: Env = fixture().env) {
  const requests: Received[] = [];
  const { url } = await serveHttp((request, response) => {
    requests.push({ headers: request.headers as Record<string, string>, body: request.text });
    respond(request, response);
  });
  const sink = await makeSink(
    { type: 'webhook', url, allowHttp: true, signingSecrets, ...overrides },
    env,
  );
  return { ...sink, url, requests };
}

const accept: RequestListener = (_request, response) => void response.writeHead(200).end();

it('sends the same event, signed with both secrets, in every attempt', async () => {
  const { deliver, requests } = await webhook(accept);
  const createdAt = '2026-01-01T00:00:00.000Z';
  const delivery = newDelivery({ sourceOrgId: null, requestedBy: null, createdAt });
  await deliver(delivery);
  await deliver(delivery);
  const [first, second] = requests as [Received, Received];
  for (const { headers, body } of [first, second]) {
    for (const secret of [NEW, OLD]) {
      // `verify` refuses a signature that is older than five minutes.
      const event = new Webhook(secret).verify(body, headers);
      expect(event).toMatchObject({
        type: 'link-token.created',
        timestamp: createdAt,
        data: delivery,
      });
      expect(linkTokenCreatedSchema.parse(event)).toEqual(event);
    }
  }
  expect(second.body).toBe(first.body);
});

it.each<['Rejected' | 'Unavailable', statuses: number[]]>([
  ['Rejected', [400, 404, 410, 422, 301, 303, 308]],
  ['Unavailable', [408, 425, 429, 500, 502]],
])('fails as Sink%s after each of %j, and follows no redirect', async (kind, statuses) => {
  for (const status of statuses) {
    const respond: RequestListener = (_request, response) =>
      void response.writeHead(status, { location: '/elsewhere' }).end();
    const { deliver, url, requests } = await webhook(respond);
    const error = sinkError(kind, `${url} responded with ${status}`);
    await expect(deliver(newDelivery())).rejects.toMatchObject(error);
    expect(requests).toHaveLength(1);
  }
});

it('names the same location when the receiver responds with 201 and then 200', async () => {
  const statuses = [201, 200];
  const { deliver } = await webhook((_request, response) => {
    response.writeHead(statuses.shift() ?? 500).end();
  });
  const delivery = newDelivery();
  const location = await deliver(delivery);
  expect(await deliver(delivery)).toBe(location);
});

it('fails an attempt that gets no response in time', async () => {
  const { deliver, url } = await webhook(() => undefined, { timeoutMs: 200 });
  const message =
    `no complete response from the webhook at ${url} within 200 ms:` +
    ' check that it runs, or raise timeoutMs';
  await expect(deliver(newDelivery())).rejects.toMatchObject(sinkError('Unavailable', message));
});

it('says how to trust a certificate that the worker does not know', async () => {
  const { url } = await serveHttps(await certificateFor(), () => undefined);
  const { deliver } = await webhook(accept, { url });
  const message =
    `the TLS certificate of the webhook at ${url} is not trusted (DEPTH_ZERO_SELF_SIGNED_CERT):` +
    ' check its address, or add its CA with NODE_EXTRA_CA_CERTS and restart the workers';
  await expect(deliver(newDelivery())).rejects.toMatchObject(sinkError('Unavailable', message));
});

it('decides by the status alone when the body is cut off', async () => {
  const sendTo = async (status: number) => {
    const { deliver } = await webhook((_request, response) => {
      response.writeHead(status, { 'retry-after': '9', 'content-length': 100 });
      response.write('x', () => response.destroy());
    });
    return deliver(newDelivery());
  };
  expect(await sendTo(202)).toMatch(/, which accepted webhook-id /);
  await expect(sendTo(503)).rejects.toMatchObject({
    ...sinkError('Unavailable'),
    retryAfterMs: 9000,
  });
});

it('a check fails while a proxy finds no receiver', async () => {
  const { check } = await webhook((_request, response) => void response.writeHead(503).end());
  await expect(check()).rejects.toMatchObject(sinkError('Unavailable'));
});

it('reads its secrets each time, and names the source of a spoiled one', async () => {
  const env = { NEW, OLD };
  const { deliver, check } = await webhook(accept, {}, env);
  await check();
  env.NEW = 'canary-spoiled';
  await expect(check()).rejects.toThrow(SecretUnavailableError);
  await expect(deliver(newDelivery())).rejects.toThrow(SecretUnavailableError);
  await expect(deliver(newDelivery())).rejects.toThrow(
    /^environment variable NEW is not a signing secret(?!.*canary)/,
  );
});

it('the receiver of docs/sinks/webhook.md takes each token once, and nothing unsigned', async () => {
  const folder = newFolder();
  const port = await freePort();
  const [program = ''] = codeBlocks(page('docs/sinks/webhook.md'), 'js');
  writeFileSync(path.join(folder, 'receiver.mjs'), program);
  symlinkSync(path.join(ROOT, 'node_modules'), path.join(folder, 'node_modules'));
  const tokens = path.join(folder, 'tokens');
  mkdirSync(tokens);
  const receiver = startChildProcess(
    'sh',
    ['-c', `cd ${tokens} && exec ${process.execPath} ../receiver.mjs`],
    {
      env: { ...process.env, WEBHOOK_SECRET: NEW, PORT: String(port) },
      logFile: path.join(folder, 'receiver.log'),
    },
  );
  cleanUpLater(() => receiver.end('SIGKILL'));
  const url = `http://127.0.0.1:${port}/`;
  await eventually('the receiver', () => fetch(url).catch(() => null));
  const { deliver } = await webhook(accept, { url });
  const delivery = newDelivery();
  await deliver(delivery);
  await deliver(delivery);
  const file = `${delivery.deliveryId}.link-token`;
  expect(readdirSync(tokens)).toEqual([file]);
  expect(readFileSync(path.join(tokens, file), 'utf8')).toBe(delivery.linkToken);
  const unsigned = await webhook(accept, { url, signingSecrets: [{ env: 'OLD' }] });
  await expect(unsigned.deliver(newDelivery())).rejects.toThrow(/responded with 401/);
  rmSync(tokens, { recursive: true });
  await expect(deliver(newDelivery())).rejects.toThrow(/responded with 500/);
});
