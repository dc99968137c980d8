import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { freePort } from '../../../dev/temporal/free-port';
import { SinkRejectedError, SinkUnavailableError, type Delivery } from '../../../src/sinks/sink';
import { serveHttp, type TestServer } from '../../support/servers';
import { newDelivery } from '../../support/sinks/delivery';
import { makeSink, type Env } from '../../support/sinks/make-sink';

/** What the server does with a request: a status with a JSON body, no response in time, or a lost connection. */
type Reaction = [status: number, body?: object] | 'silence' | 'reset';

const env: Env = {
  KEY: 'canary-key',
  SIGNING_SECRET: `whsec_${Buffer.alloc(32, 7).toString('base64')}`,
};

let server: TestServer;
let react: Row['react'];
let delivery: Delivery;

beforeAll(() => {
  process.env['AWS_ACCESS_KEY_ID'] = 'AKIACANARYCANARY';
  process.env['AWS_SECRET_ACCESS_KEY'] = 'canary-aws-secret-access-key';
});
beforeEach(async () => {
  delivery = newDelivery();
  server = await serveHttp((request, response) => {
    const reaction = react(request, delivery);
    if (reaction === 'reset') request.socket.destroy();
    else if (reaction !== 'silence') {
      const [status, body = {}] = reaction;
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
    }
  });
});
afterEach(() => server.close());

const auths = {
  token: { method: 'token', token: { env: 'KEY' } },
  appRole: { method: 'appRole', roleId: { env: 'KEY' }, secretId: { env: 'KEY' } },
};
const http = { allowHttp: true };
const CONFIGS = {
  webhook: (url: string) => ({ ...http, type: 'webhook', url, signingSecrets: [{ env: 'SIGNING_SECRET' }] }),
  vault: (address: string) => ({ ...http, type: 'vault', address, path: 'a/{orgId}', auth: auths.token }),
  vaultAppRole: (address: string) => ({
    ...http,
    type: 'vault',
    address,
    path: 'a/{orgId}',
    auth: auths.appRole,
  }),
  awsSecretsManager: (endpoint: string) => ({
    ...http,
    type: 'awsSecretsManager',
    region: 'eu-central-1',
    secretName: 'a/{orgId}',
    endpoint,
  }),
  cloudManager: (baseUrl: string) => ({
    ...http,
    type: 'cloudManager',
    baseUrl,
    pollIntervalMs: 100,
    syncTimeoutMs: 300,
    publicKey: { env: 'KEY' },
    privateKey: { env: 'KEY' },
  }),
};
type Name = keyof typeof CONFIGS;

async function failureOf(config: object): Promise<SinkUnavailableError | SinkRejectedError> {
  const sink = await makeSink(config, env);
  const failure = await sink.deliver(delivery, new AbortController().signal).then(
    (location) => `delivered: ${location}`,
    (error: unknown) => error,
  );
  if (failure instanceof SinkUnavailableError || failure instanceof SinkRejectedError) return failure;
  throw new Error(`not a failure of a sink: ${String(failure)}`);
}

// Not the AWS SDK: it tells errors by `instanceof Error`, which errors of Node are not within jest. See sinkErrorOfAws.
const others = Object.entries(CONFIGS).filter(([name]) => name !== 'awsSecretsManager');
it.each(others)('%s: not there when nothing listens', async (_name, config) => {
  const failure = await failureOf(config(`http://127.0.0.1:${await freePort()}`));
  expect(failure).toMatchObject({ tokenMayBeThere: false });
});

it('webhook: not there when the TLS handshake fails', async () => {
  const failure = await failureOf(CONFIGS.webhook(server.url.replace('http:', 'https:')));
  expect(failure).toMatchObject({ tokenMayBeThere: false });
});

interface Row {
  sink: Name;
  what: string;
  tokenMayBeThere: boolean;
  react: (request: IncomingMessage, delivery: Delivery) => Reaction;
  /** Short where the server keeps silent. */
  timeoutMs?: number;
}

/** One row for each reaction to the requests that `others` does not handle. */
function rowsOf(
  sink: Name,
  what: string,
  reactions: [Reaction, tokenMayBeThere: boolean][],
  others: (request: IncomingMessage, delivery: Delivery) => Reaction | null = () => null,
): Row[] {
  return reactions.map(([reaction, tokenMayBeThere]) => ({
    sink,
    what: `${what}: ${JSON.stringify(reaction)}`,
    tokenMayBeThere,
    react: (...call) => others(...call) ?? reaction,
    ...(reaction === 'silence' && { timeoutMs: 300 }),
  }));
}

const WRITES: [Reaction, boolean][] = [
  ['reset', true],
  ['silence', true],
  [[500], true],
  [[503], true],
  [[408], true],
  [[302], true],
  [[400], false],
  [[403], false],
  [[404], false],
  [[429], false],
];
const always = (tokenMayBeThere: boolean, ...reactions: Reaction[]) =>
  reactions.map((reaction): [Reaction, boolean] => [reaction, tokenMayBeThere]);

const foreignVersion = { data: { data: { a: 1 }, metadata: { version: 1 } } };
const overtaken: Reaction = [400, { errors: ['check-and-set parameter did not match'] }];
const written: Reaction = [200, { data: { version: 1 } }];
const noSecret: Reaction = [404, { errors: [] }];
const notSynced: Reaction = [200, { status: 'NOT_SYNCED' }];
const exists: Reaction = [400, { __type: 'ResourceExistsException' }];
const actionOf = ({ headers }: IncomingMessage) =>
  String(headers['x-amz-target']).replace('secretsmanager.', '');
const tagsOf = ({ orgId, sourceOrgId }: Delivery) => [
  { Key: 'live-migration-prep/orgId', Value: orgId },
  { Key: 'live-migration-prep/sourceOrgId', Value: sourceOrgId },
];

const ROWS: Row[] = [
  ...rowsOf('webhook', 'event', WRITES),

  ...rowsOf('vault', 'read', always(false, 'reset', 'silence', [500], [403])),
  ...rowsOf('vault', 'a value of someone else', always(false, [200, foreignVersion])),
  ...rowsOf('vault', 'write', WRITES, ({ method }) => (method === 'GET' ? noSecret : null)),
  ...rowsOf('vault', 'overtaken each time', always(false, overtaken), ({ method }) =>
    method === 'GET' ? noSecret : null,
  ),
  ...rowsOf('vault', 'written by an engine of version 1', always(true, [204]), ({ method }) =>
    method === 'GET' ? noSecret : null,
  ),
  ...rowsOf('vault', 'metadata', always(true, 'reset', [403], [500]), ({ method }) =>
    method === 'GET' ? noSecret : method === 'POST' ? written : null,
  ),
  ...rowsOf('vaultAppRole', 'login', always(false, 'reset', [500], [400])),

  ...rowsOf('awsSecretsManager', 'CreateSecret', WRITES),
  ...rowsOf(
    'awsSecretsManager',
    'DescribeSecret',
    always(false, 'reset', 'silence', [500], [400]),
    (request) => (actionOf(request) === 'CreateSecret' ? exists : null),
  ),
  ...rowsOf('awsSecretsManager', 'a secret of someone else', always(false, [200, { Tags: [] }]), (request) =>
    actionOf(request) === 'CreateSecret' ? exists : null,
  ),
  ...rowsOf('awsSecretsManager', 'PutSecretValue', WRITES, (request, delivery) => {
    if (actionOf(request) === 'CreateSecret') return exists;
    return actionOf(request) === 'DescribeSecret' ? [200, { Tags: tagsOf(delivery) }] : null;
  }),

  ...rowsOf(
    'awsSecretsManager',
    'TagResource',
    always(true, 'reset', 'silence', [400], [500]),
    (request, delivery) => {
      if (actionOf(request) === 'TagResource') return null;
      return actionOf(request) === 'CreateSecret' ? exists : [200, { Tags: tagsOf(delivery) }];
    },
  ),

  ...rowsOf('cloudManager', 'link', WRITES),
  ...rowsOf('cloudManager', 'a link without a status', always(true, [200])),
  ...rowsOf('cloudManager', 'never synced', always(true, notSynced)),
  ...rowsOf(
    'cloudManager',
    'status',
    always(true, 'reset', 'silence', [403], [404], [429], [500]),
    ({ method }) => (method === 'POST' ? notSynced : null),
  ),
];

it.each(ROWS)('$sink, $what: the token may be there: $tokenMayBeThere', async (row) => {
  react = row.react;
  const config = { ...CONFIGS[row.sink](server.url), timeoutMs: row.timeoutMs ?? 30_000 };
  expect(await failureOf(config)).toMatchObject({ tokenMayBeThere: row.tokenMayBeThere });
});

it('a secret that cannot be read after the write is a failure of a sink that may hold the token', async () => {
  const own: Env = { KEY: 'canary-key' };
  react = ({ method }) => {
    if (method === 'POST') delete own['KEY'];
    return method === 'GET' ? noSecret : written;
  };
  const sink = await makeSink(CONFIGS.vault(server.url), own);
  await expect(sink.deliver(delivery, new AbortController().signal)).rejects.toMatchObject({
    name: 'SinkUnavailableError',
    message: expect.stringContaining('environment variable KEY is not set') as string,
    tokenMayBeThere: true,
  });
});

it.each([
  ['vault', () => ({ ...CONFIGS.vault(server.url), path: '{sourceOrgId}' })],
  ['awsSecretsManager', () => ({ ...CONFIGS.awsSecretsManager(server.url), secretName: '{sourceOrgId}' })],
  ['cloudManager', () => CONFIGS.cloudManager(server.url)],
])('%s: not there when the request named no source organization', async (_sink, config) => {
  delivery = newDelivery({ sourceOrgId: null });
  expect(await failureOf(config())).toMatchObject({ name: 'SinkRejectedError', tokenMayBeThere: false });
});

describe('file', () => {
  let root: string;
  beforeEach(() => {
    root = mkdtempSync(path.join(tmpdir(), 'sink-failure-'));
  });
  afterEach(() => rmSync(root, { recursive: true, force: true }));

  const nameOf = () =>
    [delivery.orgId, delivery.sourceOrgId, delivery.deliveryId, 'link-token'].filter(Boolean).join('.');

  it.each<[string, () => string, boolean]>([
    ['a missing directory', () => path.join(root, 'missing'), false],
    [
      'a directory that is a file',
      () => {
        writeFileSync(path.join(root, 'file'), '');
        return path.join(root, 'file');
      },
      false,
    ],
    [
      'the file of someone else',
      () => {
        writeFileSync(path.join(root, nameOf()), 'x');
        return root;
      },
      false,
    ],
  ])('%s', async (_what, arrange, tokenMayBeThere) => {
    const directory = arrange();
    expect(await failureOf({ type: 'file', directory })).toMatchObject({ tokenMayBeThere });
  });
});
