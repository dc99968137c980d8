import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { SinkRejectedError, type Delivery } from '../../../src/sinks/sink';
import { serveHttp, type TestServer } from '../../support/servers';
import { newDelivery } from '../../support/sinks/delivery';
import { makeSink, type Env } from '../../support/sinks/make-sink';

/** Whoever may start work in the namespace can call `deliverLinkToken` with any text as an id. */
const MALFORMED_IDS = [
  '/../../evil/PWNED',
  '../../../teamb/data/readable-by-me',
  'x/../../../../anything/else?y=',
  '..',
  '.',
  'a/b',
  'a\\b',
  'a\0b',
  '%2e%2e',
  'a?b',
  'a#b',
  'a b',
  '',
];

const env: Env = { KEY: 'canary', VAULT_TOKEN: 'canary' };
let root: string;
let directory: string;
let server: TestServer;
let requests: string[];

beforeAll(() => {
  process.env['AWS_ACCESS_KEY_ID'] = 'AKIACANARYCANARY';
  process.env['AWS_SECRET_ACCESS_KEY'] = 'canary-aws-secret-access-key';
});
beforeEach(async () => {
  root = mkdtempSync(path.join(tmpdir(), 'sink-ids-'));
  directory = path.join(root, 'tokens');
  mkdirSync(directory);
  requests = [];
  server = await serveHttp((request, response) => {
    requests.push(String(request.url));
    response.writeHead(500).end();
  });
});
afterEach(async () => {
  await server.close();
  rmSync(root, { recursive: true, force: true });
});

const template = 'a/{orgId}/{sourceOrgId}/{deliveryId}';
const CONFIGS = {
  file: () => ({ type: 'file', directory }),
  vault: () => ({
    type: 'vault',
    address: server.url,
    allowHttp: true,
    path: template,
    auth: { method: 'token', token: { env: 'VAULT_TOKEN' } },
  }),
  awsSecretsManager: () => ({
    type: 'awsSecretsManager',
    region: 'eu-central-1',
    secretName: template,
    endpoint: server.url,
    allowHttp: true,
  }),
  cloudManager: () => ({
    type: 'cloudManager',
    baseUrl: server.url,
    allowHttp: true,
    publicKey: { env: 'KEY' },
    privateKey: { env: 'KEY' },
  }),
};

async function deliver(config: object, ids: Partial<Delivery>): Promise<string> {
  const sink = await makeSink(config, env);
  return sink.deliver(newDelivery(ids), new AbortController().signal);
}

const expectNothingSent = () => {
  expect(requests).toEqual([]);
  expect(readdirSync(root)).toEqual(['tokens']);
  expect(readdirSync(directory)).toEqual([]);
};

describe.each(Object.entries(CONFIGS))('the sink %s', (_type, config) => {
  it.each(MALFORMED_IDS)(
    'refuses the source organization %j before it sends anything',
    async (sourceOrgId) => {
      const failing = deliver(config(), { sourceOrgId });
      await expect(failing).rejects.toThrow(SinkRejectedError);
      await expect(failing).rejects.toThrow(
        /^sourceOrgId contains characters other than hexadecimal digits and hyphens/,
      );
      expectNothingSent();
    },
  );
});

it.each(['file', 'vault', 'awsSecretsManager'] as const)(
  'the sink %s refuses a malformed organization and a malformed delivery id as well',
  async (type) => {
    await expect(deliver(CONFIGS[type](), { orgId: '../x' })).rejects.toThrow(
      /^orgId contains characters other than/,
    );
    await expect(deliver(CONFIGS[type](), { deliveryId: '../x' })).rejects.toThrow(
      /^deliveryId contains characters other than/,
    );
    expectNothingSent();
  },
);
